import Foundation
import Glibc

struct BenchFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// A program that runs beside this one and ends with it.
final class ChildProcess {
    private let process = Process()
    private let output = Pipe()
    private let input = Pipe()
    private var pending: [UInt8] = []

    init(_ path: String, _ arguments: [String], log: String? = nil) throws {
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.standardOutput = output
        process.standardInput = input
        if let log {
            _ = FileManager.default.createFile(atPath: log, contents: nil)
            process.standardError = FileHandle(forWritingAtPath: log)
        }
        try process.run()
    }

    deinit { stop() }

    var id: Int32 { process.processIdentifier }

    /// The next line of its output; nil at the end.
    func readLine() -> String? {
        while true {
            if let end = pending.firstIndex(of: 10) {
                let line = String(decoding: pending[..<end], as: UTF8.self)
                pending.removeSubrange(...end)
                return line
            }
            let more = output.fileHandleForReading.availableData
            if more.isEmpty { return nil }
            pending += more
        }
    }

    /// Gives it a line to read.
    func write(line: String) throws {
        try input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8))
    }

    /// Closes its input and waits until it has ended.
    func finish() throws {
        try input.fileHandleForWriting.close()
        try wait()
    }

    /// Ends it in order, and at once when that takes too long.
    func stop() {
        try? input.fileHandleForWriting.close()
        guard process.isRunning else { return }
        process.terminate()
        // A second signal: ferryd refuses the first one while devices hold content.
        for _ in 0..<50 where process.isRunning {
            usleep(100_000)
            if process.isRunning { process.terminate() }
        }
        if process.isRunning { kill(id, SIGKILL) }
        process.waitUntilExit()
    }

    /// Waits for its end, and fails when that was not a good one.
    func wait() throws {
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw BenchFailure("\(process.arguments ?? []) ended with \(process.terminationStatus)")
        }
    }

    /// Memory that is the process's alone, in bytes.
    func privateMemory() throws -> Double {
        let text = try String(contentsOfFile: "/proc/\(id)/smaps_rollup", encoding: .utf8)
        let lines = text.split(separator: "\n").filter { $0.hasPrefix("Private_") }
        let kilobytes = lines.compactMap { line in
            line.split(separator: " ").dropFirst().first.flatMap { Double($0) }
        }
        guard kilobytes.count >= 2 else { throw BenchFailure("smaps_rollup cannot be read") }
        return kilobytes.reduce(0, +) * 1024
    }

    /// Files it has open.
    func descriptorCount() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(id)/fd").count
    }

    /// Seconds of processor time it has used.
    func processorSeconds() throws -> Double {
        let text = try String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8)
        guard let name = text.lastIndex(of: ")") else { throw BenchFailure("no stat") }
        let fields = text[text.index(after: name)...].split(separator: " ")
        guard let user = Double(fields[11]), let system = Double(fields[12]) else {
            throw BenchFailure("no times in stat")
        }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
}

/// Seconds of processor time of all children that have ended.
func processorSecondsOfChildren() -> Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_CHILDREN.rawValue), &usage)
    let seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
    return Double(seconds) + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
}

/// Seconds of the monotonic clock.
func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

func measuring(_ work: () throws -> Void) rethrows -> Double {
    let start = now()
    try work()
    return now() - start
}
