internal import Glibc

/// One of the streams ferryctl writes to.
struct Terminal: Sendable {
    static let standardOutput = Terminal(descriptor: STDOUT_FILENO)
    static let standardError = Terminal(descriptor: STDERR_FILENO)

    private let descriptor: Int32
    let isInteractive: Bool
    /// Whether a person who wants colours reads it (no-color.org).
    let hasColor: Bool
    /// Whether it shows more than ASCII, by the locale.
    let speaksUTF8: Bool

    private init(descriptor: Int32) {
        self.init(
            descriptor: descriptor,
            isInteractive: isatty(descriptor) == 1,
            environment: environment
        )
    }

    init(descriptor: Int32, isInteractive: Bool, environment: (String) -> String?) {
        self.descriptor = descriptor
        self.isInteractive = isInteractive
        hasColor =
            isInteractive && (environment("NO_COLOR") ?? "").isEmpty
            && environment("TERM") != "dumb"
        // The first of them that is set decides, as locale(7) says.
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap(environment)
            .first { !$0.isEmpty }
        let encoding = locale?.lowercased() ?? ""
        speaksUTF8 = encoding.hasSuffix("utf-8") || encoding.hasSuffix("utf8")
    }

    /// Writes the whole text, or ends the program.
    func write(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                ExitStatus.fileFailed.end()
            }
        }
    }

    /// How many characters a line has room for.
    var width: Int {
        var size = winsize()
        guard unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
            return 80
        }
        return Int(size.ws_col)
    }

    func styled(_ text: String, _ style: Style) -> String {
        hasColor ? "\u{1b}[\(style.rawValue)m\(text)\u{1b}[0m" : text
    }

    enum Style: String {
        case bold = "1"
        case red = "31"
        case green = "32"
        case yellow = "33"
    }
}

/// A text of the server's, with what would steer a terminal made visible.
func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    return text.unicodeScalars.map { scalar in
        isControl(scalar) ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
    }.joined()
}

private func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: true
    default: false
    }
}
