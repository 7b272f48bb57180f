internal import Glibc
internal import JSONCoding
internal import MigrationCore
internal import SystemIO

/// The file the contexts are kept in.
///
/// Who can write it can send a user's commands to another server. So it is made for its owner
/// alone, and refused when somebody else may write it.
struct ContextFile {
    /// Why the file is not used, in words.
    struct Failure: Error, Hashable {
        let text: String
    }

    static let byteLimit = 1 << 20

    let path: String

    /// `$FERRY_CONFIG`, or `ferry/contexts.json` in the user's configuration directory.
    static func standard() throws(Failure) -> ContextFile {
        if let path = environment("FERRY_CONFIG") { return ContextFile(path: path) }
        if let directory = environment("XDG_CONFIG_HOME"), directory.hasPrefix("/") {
            return ContextFile(path: directory + "/ferry/contexts.json")
        }
        guard let home = environment("HOME") else {
            throw Failure(text: "There is no home directory: set FERRY_CONFIG or HOME.")
        }
        return ContextFile(path: home + "/.config/ferry/contexts.json")
    }

    /// What the file holds; nothing when there is no file.
    func read() throws(Failure) -> Contexts {
        let content: Content
        do throws(Errno) {
            content = try self.content()
        } catch {
            guard error != .noEntry else { return Contexts() }
            throw failure("cannot be read: \(error.name)")
        }
        switch content {
        case .refused(let why): throw failure(why)
        case .bytes(let bytes):
            guard bytes.count <= Self.byteLimit else { throw failure("is too long") }
            return try contexts(in: bytes)
        }
    }

    private enum Content {
        case bytes([UInt8])
        case refused(String)
    }

    private func content() throws(Errno) -> Content {
        let file = try FileDescriptor(opening: path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
        if let objection = try Self.objection(to: file) { return .refused(objection) }
        return .bytes(try BoundedFile.bytes(of: file, limit: Self.byteLimit + 1))
    }

    private func contexts(in bytes: [UInt8]) throws(Failure) -> Contexts {
        do throws(JSONProblem) {
            return try JSONReader.decode(Contexts.self, from: bytes, unknownFields: .refuse)
        } catch {
            throw failure("makes no sense: \(error.detail) at \"\(error.pointer)\"")
        }
    }

    /// Puts contexts in the place of what the file holds, all of them or none.
    func write(_ contexts: Contexts) throws(Failure) {
        guard contexts.contexts.count <= Contexts.countLimit,
            let bytes = try? JSONWriter.encode(contexts)
        else { throw failure("would hold too much") }
        let (parent, name) = parts
        do throws(Errno) {
            try Self.makeDirectories(parent)
            let directory = try Directory(opening: parent)
            let temporary = ".\(name).\(getpid()).\(UInt32.random(in: 0 ... .max))"
            do throws(Errno) {
                try Self.write(bytes, as: temporary, in: directory)
                try directory.rename(temporary, to: name)
            } catch {
                try? directory.remove(temporary)
                throw error
            }
            try directory.synchronize()
        } catch {
            throw failure("cannot be written: \(error.name)")
        }
    }

    private static func write(
        _ bytes: [UInt8],
        as name: String,
        in directory: borrowing Directory
    ) throws(Errno) {
        let file = try directory.open(name, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        let text = bytes + [UInt8(ascii: "\n")]
        let result: Result<Void, Errno> = unsafe text.withUnsafeBytes { buffer in
            do throws(Errno) {
                return .success(try unsafe file.writeAll(buffer))
            } catch {
                return .failure(error)
            }
        }
        try result.get()
        try file.synchronize()
    }

    /// What speaks against believing an open file; nil when nothing does.
    private static func objection(
        to file: borrowing FileDescriptor
    ) throws(Errno) -> String? {
        let status = try stat(of: file)
        guard status.isRegularFile else { return "is no regular file" }
        // root may do anything here anyway, and may keep one file for everybody.
        guard status.st_uid == geteuid() || status.st_uid == 0 else {
            return "belongs to somebody else (uid \(status.st_uid))"
        }
        guard status.st_mode & (S_IWGRP | S_IWOTH) == 0 else {
            return "may be written by others: chmod go-w it"
        }
        return nil
    }

    /// Makes a directory and those it lies in, for the user alone.
    private static func makeDirectories(_ path: String) throws(Errno) {
        guard unsafe mkdir(path, 0o700) != 0 else { return }
        switch Glibc.errno {
        case EEXIST: return
        case ENOENT:
            let parent = ContextFile(path: path).parts.parent
            guard parent != path else { throw .noEntry }
            try makeDirectories(parent)
            guard unsafe mkdir(path, 0o700) == 0 else { throw Errno(number: Glibc.errno) }
        case let number: throw Errno(number: number)
        }
    }

    /// The directory and the name in it.
    private var parts: (parent: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        let parent = path[..<slash]
        return (parent.isEmpty ? "/" : String(parent), String(path[path.index(after: slash)...]))
    }

    private func failure(_ text: String) -> Failure {
        Failure(text: "The contexts' file \(path) \(text).")
    }
}
