internal import Glibc
package import MigrationCore
internal import SystemIO

/// The images of the host: one directory each, `<id>/content` beside `<id>/manifest.json`, and
/// `<id>/sidecar` when the device's user left one.
///
/// Only whole images have their name; what is being written is called otherwise until it is
/// sealed. Every name is made of an `ImageID`, no path of a client's is ever opened, and symbolic
/// links inside are refused. All calls block on the file system.
package final class ImageDirectory: Sendable {
    /// Most members of one image.
    package static let memberLimit = 64

    let root: Directory

    /// Opens the directory, made with mode 0700 when there is none.
    ///
    /// Its parent must exist.
    package init(path: String) throws(Problem) {
        if unsafe mkdir(path, 0o700) != 0 {
            let error = Errno(number: errno)
            guard error == .exists else { throw ImageProblem.storage(nil, "mkdir", error) }
        }
        do throws(Errno) {
            root = try Directory(opening: path)
        } catch {
            throw ImageProblem.storage(nil, "open", error)
        }
    }

    /// Begins an image of so many members.
    ///
    /// Nothing of it has the image's name until it is sealed.
    package func create(_ id: ImageID, memberCount: Int = 1) throws(Problem) -> ImageWriter {
        guard (1...Self.memberLimit).contains(memberCount) else {
            throw Problem(.internalError, "An image of \(memberCount) members was asked for.")
        }
        return try ImageWriter(id, in: self, memberCount: memberCount)
    }

    /// Opens every file of an image and checks all of it but the members' content.
    ///
    /// Nothing of it is handed out before that is verified too. Throws `image-corrupt` with what
    /// differs, and `storage-failed`.
    package func open(_ record: ImageRecord) throws(Problem) -> OpenImage {
        let directory: Directory
        do throws(Errno) {
            directory = try Directory(opening: record.id.text, in: root)
        } catch .noEntry {
            throw ImageProblem.corrupt(record.id, "its directory is missing")
        } catch .notDirectory {
            throw ImageProblem.corrupt(record.id, "its directory is not a directory")
        } catch {
            throw ImageProblem.storage(record.id, "open", error)
        }
        return try OpenImage(record, in: directory)
    }

    /// Removes an image, whole or not.
    ///
    /// One that is not there is no error.
    package func delete(_ id: ImageID) throws(Problem) {
        do throws(Errno) {
            // A crash half-way must leave nothing that has the image's name.
            try root.rename(id.text, to: ImageNames.deleted(id))
            try root.synchronize()
        } catch {
            if error != .noEntry { throw ImageProblem.storage(id, "rename", error) }
        }
        try remove(ImageNames.deleted(id), of: id)
    }

    /// Gives a directory whose files survive the machine its image's name, for good.
    ///
    /// Throws `storage-failed`, and then there is no image.
    func publish(
        _ directory: borrowing Directory,
        named name: String,
        as id: ImageID
    ) throws(Problem) {
        var operation = "fsync"
        do throws(Errno) {
            try directory.synchronize()
            operation = "rename"
            try root.rename(name, to: id.text)
        } catch {
            throw ImageProblem.storage(id, operation, error)
        }
        do throws(Errno) {
            try root.synchronize()
        } catch {
            // The name may not survive the machine, so it must not be there now either.
            try? delete(id)
            throw ImageProblem.storage(id, "fsync", error)
        }
    }

    /// Removes the directory of this name with the files in it.
    func remove(_ name: String, of id: ImageID?) throws(Problem) {
        do throws(Errno) {
            try root.removeFlat(name)
        } catch {
            throw ImageProblem.storage(id, "unlink", error)
        }
    }
}

extension Directory {
    /// Removes a directory that holds nothing but files.
    ///
    /// One that is not there is no error.
    fileprivate borrowing func removeFlat(_ name: String) throws(Errno) {
        do throws(Errno) {
            let directory = try Directory(opening: name, in: self)
            try directory.removeFiles()
            try removeDirectory(name)
        } catch {
            if error != .noEntry { throw error }
        }
    }
}
