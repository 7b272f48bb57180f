internal import APIClient
internal import APISchema
internal import JSONCoding

/// Tells results on stdout, as JSON or for a person, and everything else on stderr.
struct Printer {
    let isJSON: Bool
    var output = Terminal.standardOutput
    var errors = Terminal.standardError

    /// A document as JSON, or the text that says the same to a person.
    func show(_ document: some Encodable, _ text: @autoclosure () -> String) {
        guard isJSON else { return output.write(text()) }
        guard let line = try? JSONWriter.encode(document) else {
            return errors.write("ferryctl: the document cannot be written\n")
        }
        output.write(Self.withoutControls(line) + "\n")
    }

    /// JSON whose strings steer no terminal: beside the controls that JSON always escapes there are
    /// DEL and those of C1, which some terminals obey as they do ESC.
    private static func withoutControls(_ json: [UInt8]) -> String {
        var text = String.UnicodeScalarView()
        for scalar in String(decoding: json, as: UTF8.self).unicodeScalars {
            if (0x7F...0x9F).contains(scalar.value) {
                text += "\\u00\(String(scalar.value, radix: 16))".unicodeScalars
            } else {
                text.append(scalar)
            }
        }
        return String(text)
    }

    /// Every item of a list, as one page.
    func show<Item: Hashable & Sendable & Codable>(
        list items: [Item],
        _ text: @autoclosure () -> String
    ) {
        show(PageDTO(items: items, nextCursor: nil), text())
    }

    func report(_ problem: ClientProblem) {
        let stream = errors
        switch problem {
        case .unreachable(let server, let detail):
            stream.write(heading("\(server) cannot be reached") + "  \(printable(detail))\n")
        case .interrupted(let server, let detail):
            stream.write(
                heading("The connection to \(server) broke")
                    + "  \(printable(detail)) Whether the server did what it was asked for is unknown.\n"
            )
        case .refused(let problem): report(problem)
        case .notUnderstood(let status, let detail):
            stream.write(
                heading("The answer makes no sense (status \(status))")
                    + "  \(printable(detail))\n"
            )
        case .file(let path, let detail):
            stream.write(heading("\(printable(path)): \(printable(detail))"))
        }
    }

    func report(_ failure: ContextFile.Failure) {
        errors.write(heading(printable(failure.text)))
    }

    /// Something a person should know, beside the output.
    func note(_ text: String) { errors.write("ferryctl: \(printable(text))\n") }

    /// Title, detail and every fact of a problem.
    func report(_ problem: ProblemDTO) {
        errors.write(
            heading(printable(problem.title))
                + "  \(printable(FlagNames.spoken(problem.detail)))\n"
                + Self.facts(of: problem).text(indent: "  ")
        )
    }

    private func heading(_ text: String) -> String {
        errors.styled("ferryctl: \(text)", .red) + "\n"
    }

    static func facts(of problem: ProblemDTO) -> FactList {
        var facts = FactList()
        facts.add("code", "\(problem.code) (\(problem.status))")
        facts.add("device", problem.device)
        facts.add("session", problem.session)
        facts.add("image", problem.image)
        facts.add("arc", problem.arc.map(arrow))
        facts.add("operation", problem.operation)
        facts.add("errno", problem.errno)
        facts.add("blocking job", problem.blockingJob)
        for holder in problem.holders ?? [] {
            facts.add("held by", holder.words)
        }
        facts.add("field", problem.pointer.map(FlagNames.field))
        facts.add("column", problem.column.map(String.init))
        facts.add("content", problem.content)
        facts.add("received", problem.receivedBytes.map(bytes))
        facts.add("size", problem.sizeBytes.map(bytes))
        for reason in problem.reasons ?? [] { facts.add("reason", FlagNames.spoken(reason)) }
        facts.add("retry after", problem.retryAfterS.map { "\($0) s" })
        facts.add("request", problem.requestId)
        return facts
    }
}

extension HolderDTO {
    /// `pid 4711 (qemu-system-x86), uid 64055`.
    var words: String {
        let store = descriptorStore == true ? ", keeps it for a unit" : ""
        return "pid \(pid) (\(command)), uid \(uid)\(store)"
    }
}

/// `running -> pre_copy`.
func arrow(_ arc: ArcDTO) -> String { "\(arc.from ?? "?") -> \(arc.to)" }
