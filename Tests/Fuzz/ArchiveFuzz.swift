import Glibc
import MigrationCore
import SystemIO

@testable import StateTransfer

/// The archive of an image that comes in; its first byte says how large the parts are.
///
/// It is refused and nothing of it is left, or it is an image that verifies whole.
enum ArchiveFuzz {
    private static let place: String = {
        let memory = "/dev/shm"
        return "\(unsafe access(memory, W_OK) == 0 ? memory : "/tmp")/ferry-fuzz-\(getpid())-images"
    }()
    private static let images = try? ImageDirectory(path: place)

    static func run(_ input: [UInt8]) {
        guard let first = input.first, let images, let id = ImageID("s1") else { return }
        var bounds = ImageReceiver.Bounds()
        bounds.byteLimit = 1 << 20
        bounds.spareByteCount = 0
        do throws(Problem) {
            let receiver = try images.beginUpload(of: id, bounds)
            let size = Int(first) * 16 + 1
            for part in stride(from: 1, to: input.count, by: size) {
                let bytes = Array(input[part..<min(part + size, input.count)])
                try unsafe bytes.withUnsafeBufferPointer { bytes throws(Problem) in
                    try unsafe receiver.receive(UnsafeRawBufferPointer(bytes))
                }
            }
            let record = try receiver.seal()
            promised(record.id == id, "an image has the name it was sent by")
            do throws(Problem) {
                try images.open(record).verify()
            } catch {
                promised(false, "an image that was taken in verifies: \(error.detail)")
            }
            try images.delete(id)
        } catch {
            promised(
                [.imageCorrupt, .payloadTooLarge, .storageFailed].contains(error.code),
                "a refusal says which"
            )
            try? images.discardUpload(of: id)
        }
        promised((try? BoundedFile.names(in: place)) == [], "nothing is left")
    }
}
