package import MigrationCore

/// One thing every backend keeps to, whatever stands behind it.
///
/// A check says what the uAPI promises. Where drivers are known to differ it allows the documented
/// variants and nothing else.
package struct ConformanceCheck: Sendable {
    /// The promise, as a sentence.
    package let name: String
    package let needs: Need
    let body: @Sendable (ConformanceBench) throws -> Void

    init(
        _ name: String,
        _ needs: Need = .flags(.stopCopy),
        _ body: @escaping @Sendable (ConformanceBench) throws -> Void
    ) {
        self.name = name
        self.needs = needs
        self.body = body
    }

    /// What there must be for a check to make sense.
    package enum Need: Hashable, Sendable {
        /// Any device.
        case device
        /// A device that answers ENOTTY.
        case noMigration
        /// A device with a state stream and these flags.
        case flags(MigrationFlags)
        /// Two devices with a state stream, of one kind.
        case pair
    }

    /// What became of a check.
    package enum Outcome: Hashable, Sendable {
        case passed
        case failed(String)
        case skipped(String)
    }
}

/// A promise that was not kept.
struct Violation: Error {
    let text: String
}

/// A check that turned out to be about something this device does not show.
struct Skip: Error {
    let reason: String
}

/// The conformance suite of the backend port.
package enum BackendConformance {
    package static let checks: [ConformanceCheck] =
        openingChecks + stateChecks + streamChecks + preCopyChecks + loadChecks + resetChecks
        + pairChecks

    /// Runs one check on an idle device, and on a second one of the same kind where it needs two.
    ///
    /// Both lose what they hold.
    package static func run(
        _ check: ConformanceCheck,
        on bench: ConformanceBench
    ) -> ConformanceCheck.Outcome {
        defer { bench.closeAll() }
        do {
            if let reason = try bench.missing(check.needs) { return .skipped(reason) }
            try check.body(bench)
            return .passed
        } catch let violation as Violation {
            return .failed(violation.text)
        } catch let skip as Skip {
            return .skipped(skip.reason)
        } catch let problem as Problem {
            let errno = problem.facts.errno.map { " (\($0.name))" } ?? ""
            return .failed("\(problem.code.rawValue): \(problem.detail)\(errno)")
        } catch let errno as Errno {
            return .failed("unexpected \(errno.name)")
        } catch {
            return .failed("\(error)")
        }
    }
}
