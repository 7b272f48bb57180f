/// A line on stderr that is written over again and again, when a terminal shows it.
struct ProgressLine {
    private let stream = Terminal.standardError

    func show(_ text: @autoclosure () -> String) {
        guard stream.isInteractive else { return }
        // A line that wraps could not be taken back.
        stream.write("\r\u{1b}[K" + printable(text()).prefix(stream.width - 1))
    }

    func clear() {
        if stream.isInteractive { stream.write("\r\u{1b}[K") }
    }
}
