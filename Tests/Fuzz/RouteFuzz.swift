import APISchema
import JSONCoding
import MigrationCore

@testable import ManagementAPI

/// A request line, zero bytes between method, path and query, and a body behind them.
///
/// It is refused with a problem that has a status of a refusal, or finds the same endpoint however
/// its path is escaped.
enum RouteFuzz {
    static func run(_ input: [UInt8]) {
        let parts = input.split(separator: 0, maxSplits: 3, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        guard parts.count >= 2 else { return }
        let query = parts.count > 2 ? parts[2] : nil
        do throws(Problem) {
            let target = try RoutedTarget(parts[0], parts[1], query)
            promised(
                !target.pathVariable.utf8.contains { $0 == 0 || $0 == UInt8(ascii: "/") },
                "a name in a path has no slash and no NUL"
            )
            let again = try? RoutedTarget(parts[0], escaped(parts[1]), query)
            promised(
                again?.endpoint == target.endpoint && again?.pathVariable == target.pathVariable,
                "escapes of a path change nothing"
            )
        } catch {
            promised(
                (400..<500).contains(error.code.httpStatus),
                "what cannot be routed is refused"
            )
            let answer = APIResponse.problem(error, instance: nil)
            promised(!answer.body.isEmpty, "a refusal can be written")
        }
        if parts.count > 3 { readBody(Array(parts[3].utf8)) }
    }

    private static func readBody(_ bytes: [UInt8]) {
        do throws(Problem) {
            _ = try JobSpec(RequestBody.decode(JobRequestDTO.self, from: bytes))
        } catch {
            promised((400..<500).contains(error.code.httpStatus), "what cannot be read is refused")
        }
    }

    /// The path with every letter and digit escaped that was not.
    private static func escaped(_ path: String) -> String {
        var text = ""
        var rest = Array(path.unicodeScalars)[...]
        while let scalar = rest.popFirst() {
            if scalar == "%" {
                // Two digits follow, or the path would not have been routed.
                text.unicodeScalars.append(contentsOf: [scalar] + rest.prefix(2))
                rest = rest.dropFirst(2)
            } else if scalar.isASCII, scalar.properties.isAlphabetic {
                text += "%" + String(scalar.value, radix: 16, uppercase: true)
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}
