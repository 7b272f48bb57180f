/// A path with at most one `{id}`: `/v1/devices/{id}/probe`.
package struct PathTemplate: Sendable, CustomStringConvertible {
    package let description: String
    private let segments: [String]

    init(_ text: String) {
        self.description = text
        self.segments = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
            .map(String.init)
    }

    private static let variable = "{id}"

    package var hasVariable: Bool { segments.contains { $0 == Self.variable } }

    /// The text that stands for `{id}` in decoded segments that match; empty when the template has
    /// no `{id}`, nil when the segments do not match.
    func match(_ candidate: [String]) -> String? {
        guard candidate.count == segments.count else { return nil }
        var captured = ""
        for (pattern, segment) in zip(segments, candidate) {
            if pattern == Self.variable {
                captured = segment
            } else if pattern != segment {
                return nil
            }
        }
        return captured
    }
}
