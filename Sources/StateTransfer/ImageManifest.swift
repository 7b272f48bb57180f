internal import JSONCoding
import MigrationCore
internal import SystemIO

/// `manifest.json`: what the files beside it are, so that an image explains itself without the
/// catalogue.
struct ImageManifest: Codable {
    /// The layouts of the directory.
    ///
    /// A reader knows these and no other.
    private static let formats = 1...2
    /// The first one with sidecars: a reader that knew only the one before would load a device
    /// without what belongs to it.
    private static let sidecarFormat = 2
    static let byteCountLimit = 1 << 20
    /// Of what a hostile manifest may put into our own words.
    private static let reasonLengthLimit = 200

    let format: Int
    let image: ImageRecord

    private init(_ image: ImageRecord) {
        self.format = image.hasSidecars ? Self.sidecarFormat : Self.formats.lowerBound
        self.image = image
    }

    static func encode(_ record: ImageRecord) throws(Problem) -> [UInt8] {
        do throws(JSONProblem) {
            return try JSONWriter.encode(Self(record)) + [UInt8(ascii: "\n")]
        } catch {
            throw Problem(
                .internalError,
                "The manifest of image \(record.id) cannot be written: \(error.detail)."
            )
        }
    }

    /// The bytes of the manifest of an image, and that it says what the catalogue says.
    ///
    /// Throws `image-corrupt` when it does not.
    static func check(
        _ record: ImageRecord,
        in directory: borrowing Directory
    ) throws(Problem) -> [UInt8] {
        let bytes = try ImageFile.bytes(
            of: ImageNames.manifest,
            of: record.id,
            in: directory,
            limit: byteCountLimit
        )
        if let difference = try decode(bytes, of: record.id).difference(from: record) {
            throw ImageProblem.corrupt(
                record.id,
                "\(ImageNames.manifest) describes another content than the catalogue: it says another "
                    + difference
            )
        }
        return bytes
    }

    /// What a manifest says, which is of a known format and otherwise not believed.
    ///
    /// Throws `image-corrupt`.
    static func decode(_ bytes: [UInt8], of id: ImageID) throws(Problem) -> ImageRecord {
        let name = ImageNames.manifest
        let manifest: ImageManifest
        do throws(JSONProblem) {
            manifest = try JSONReader.decode(Self.self, from: bytes, unknownFields: .ignore)
        } catch {
            let reason = "\(error.detail) at \"\(error.pointer)\"".prefix(reasonLengthLimit)
            throw ImageProblem.corrupt(id, "\(name) cannot be read: \(reason)")
        }
        guard formats.contains(manifest.format) else {
            throw ImageProblem.corrupt(
                id,
                "\(name) has format \(manifest.format), not one of \(formats.lowerBound) to "
                    + "\(formats.upperBound)"
            )
        }
        guard manifest.format >= sidecarFormat || !manifest.image.hasSidecars else {
            throw ImageProblem.corrupt(
                id,
                "\(name) has format \(manifest.format), which has no sidecars"
            )
        }
        return manifest.image
    }
}

extension ImageRecord {
    fileprivate var hasSidecars: Bool { members.contains { $0.sidecar != nil } }
}
