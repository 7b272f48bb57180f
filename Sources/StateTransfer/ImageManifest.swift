internal import Glibc
internal import JSONCoding
import MigrationCore
internal import SystemIO

/// `manifest.json`: what the content beside it is, so that an image explains itself without the
/// catalogue.
struct ImageManifest: Codable {
    /// Of the directory's layout.
    ///
    /// A reader knows its own and no other.
    static let currentFormat = 1
    private static let byteCountLimit = 1 << 20

    let format: Int
    let image: ImageRecord

    static func encode(_ record: ImageRecord) throws(Problem) -> [UInt8] {
        do throws(JSONProblem) {
            let manifest = ImageManifest(format: currentFormat, image: record)
            return try JSONWriter.encode(manifest) + [UInt8(ascii: "\n")]
        } catch {
            throw Problem(
                .internalError,
                "The manifest of image \(record.id) cannot be written: \(error.detail)."
            )
        }
    }

    /// Throws `image-corrupt` unless the manifest of an image says what the catalogue says.
    static func check(_ record: ImageRecord, in directory: borrowing Directory) throws(Problem) {
        let bytes = try read(record.id, in: directory)
        let manifest: ImageManifest
        do throws(JSONProblem) {
            manifest = try JSONReader.decode(Self.self, from: bytes, unknownFields: .ignore)
        } catch {
            throw ImageProblem.corrupt(
                record.id,
                "\(ImageNames.manifest) cannot be read: \(error.detail)"
            )
        }
        guard manifest.format == currentFormat else {
            throw ImageProblem.corrupt(
                record.id,
                "\(ImageNames.manifest) has format \(manifest.format), not \(currentFormat)"
            )
        }
        // What becomes of the source later is the catalogue's to know; the rest never changes.
        let saved = manifest.image
        guard saved.id == record.id, saved.job == record.job, saved.members == record.members
        else {
            throw ImageProblem.corrupt(
                record.id,
                "\(ImageNames.manifest) describes another content than the catalogue"
            )
        }
    }

    private static func read(
        _ id: ImageID,
        in directory: borrowing Directory
    ) throws(Problem) -> [UInt8] {
        do throws(Errno) {
            let file = try directory.open(
                ImageNames.manifest,
                O_RDONLY | O_NONBLOCK | O_NOCTTY
            )
            return try BoundedFile.bytes(of: file, limit: byteCountLimit)
        } catch .noEntry {
            throw ImageProblem.corrupt(id, "\(ImageNames.manifest) is missing")
        } catch {
            if error.number == ELOOP {
                throw ImageProblem.corrupt(id, "\(ImageNames.manifest) is a symbolic link")
            }
            throw ImageProblem.storage(id, "read", error)
        }
    }
}
