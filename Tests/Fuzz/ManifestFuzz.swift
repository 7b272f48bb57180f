import Glibc
import JSONCoding
import MigrationCore

@testable import StateTransfer

/// The manifest of an image on the disk: it says what the catalogue says, or the image is corrupt.
enum ManifestFuzz {
    private static let images: ImageDirectory? = {
        let path = "/tmp/ferry-fuzz-\(getpid())"
        return try? ImageDirectory(path: path)
    }()

    static func run(_ input: [UInt8]) {
        guard let claimed = record(in: input), let images else { return }
        promised(!claimed.id.text.contains("/"), "an image's name is no path")
        let names = ImageNames.files(of: claimed)
        promised(!names.contains { $0.contains("/") || $0 == ".." }, "its files are in it")
        promised(claimed.difference(from: claimed) == nil, "a record is itself")
        if let text = try? ImageManifest.encode(claimed) {
            promised(record(in: text) == claimed, "a manifest that was written is read again")
        }
        // There is no such image, whatever it says of itself.
        do throws(Problem) {
            _ = try images.open(claimed)
            promised(false, "an image that is not there cannot be opened")
        } catch {
            promised(error.code == .imageCorrupt || error.code == .storageFailed, "it is told so")
        }
    }

    private static func record(in text: [UInt8]) -> ImageRecord? {
        try? JSONReader.decode(ImageManifest.self, from: text, unknownFields: .ignore).image
    }
}
