import Glibc

@testable import ferryctl

/// Two files in the place of stdout and stderr.
final class CapturedOutput {
    private let output: Int32
    private let errors: Int32

    init() {
        output = Self.file()
        errors = Self.file()
    }

    deinit {
        close(output)
        close(errors)
    }

    func printer(isJSON: Bool = false) -> Printer {
        Printer(
            isJSON: isJSON,
            output: Self.terminal(output),
            errors: Self.terminal(errors)
        )
    }

    /// What was written to stdout so far.
    var outputText: String { Self.text(of: output) }
    var errorText: String { Self.text(of: errors) }

    private static func terminal(_ descriptor: Int32) -> Terminal {
        Terminal(descriptor: descriptor, isInteractive: false) { _ in nil }
    }

    /// A file without a name.
    private static func file() -> Int32 {
        let path = "/tmp/ferryctl-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        defer { unsafe unlink(path) }
        return unsafe open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
    }

    private static func text(of file: Int32) -> String {
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe pread(file, $0.baseAddress, $0.count, off_t(text.count))
            }
            guard count > 0 else { return String(decoding: text, as: UTF8.self) }
            text += buffer[..<count]
        }
    }
}

/// A directory of a test's own, removed with everything in it.
final class TemporaryDirectory {
    let path: String

    init() throws {
        struct NoDirectory: Error {}
        path = "/tmp/ferryctl-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        guard unsafe mkdir(path, 0o700) == 0 else { throw NoDirectory() }
    }

    deinit { Self.remove(path) }

    /// Makes a file with these bytes.
    func write(_ text: String, to name: String, mode: mode_t = 0o600) {
        let file = unsafe open("\(path)/\(name)", O_CREAT | O_WRONLY | O_TRUNC, mode)
        let bytes = Array(text.utf8)
        _ = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(file, $0.baseAddress, $0.count) }
        close(file)
    }

    func text(of name: String) -> String? { Self.text(at: "\(path)/\(name)") }

    static func text(at path: String) -> String? {
        let file = unsafe open(path, O_RDONLY)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        let count = unsafe buffer.withUnsafeMutableBytes {
            unsafe read(file, $0.baseAddress, $0.count)
        }
        return String(decoding: buffer[..<max(0, count)], as: UTF8.self)
    }

    func mode(of name: String) -> mode_t? {
        var status = stat()
        guard unsafe stat("\(path)/\(name)", &status) == 0 else { return nil }
        return status.st_mode & 0o7777
    }

    static func names(in path: String) -> [String] {
        guard let directory = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
                unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) {
                    unsafe String(cString: $0)
                }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    private static func remove(_ path: String) {
        for name in names(in: path) { remove("\(path)/\(name)") }
        if unsafe unlink(path) != 0 { unsafe rmdir(path) }
    }
}
