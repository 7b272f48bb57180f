import APISchema
import MigrationCore
import Testing

@testable import ManagementAPI

@Suite("Images and sidecars as documents")
struct ImageDTOTests {
    private static func time(_ milliseconds: Int64) -> Timestamp {
        Timestamp(millisecondsSinceEpoch: milliseconds)
    }

    private func image() throws -> ImageRecord {
        var device = DeviceRecord(
            id: try #require(DeviceID("pci-0000:41:00.3")),
            backend: .kernel,
            bus: .pci,
            address: "0000:41:00.3"
        )
        device.subsystemVendorID = 0x15b3
        device.subsystemDeviceID = 0x58
        let sidecar = ImageRecord.SidecarFile(byteCount: 4096, sha256: "cd")
        return ImageRecord(
            id: try #require(ImageID("image-1")),
            job: try #require(JobID("job-1")),
            createdAt: Self.time(3),
            members: [
                ImageRecord.Member(
                    of: device,
                    flags: 1,
                    byteCount: .max,
                    sha256: "ab",
                    sidecar: sidecar
                ),
                ImageRecord.Member(of: device, flags: 1, byteCount: .max, sha256: "ab"),
            ],
            sourceResumed: false,
            kernelRelease: "6.12.0"
        )
    }

    @Test("an image shows whose state it is, with its sidecars, by whom and when")
    func full() throws {
        var record = try image()
        record.machine = "x86_64"
        record.ferryVersion = "0.2.0"
        record.save = ImageRecord.SaveTimes(
            createdAt: Self.time(1),
            startedAt: Self.time(2),
            finishedAt: Self.time(3)
        )
        let document = ImageDTO(record)
        #expect(document.machine == "x86_64")
        #expect(document.ferryVersion == "0.2.0")
        #expect(document.save?.createdAt == "1970-01-01T00:00:00.001Z")
        #expect(document.save?.startedAt == "1970-01-01T00:00:00.002Z")
        #expect(document.save?.finishedAt == "1970-01-01T00:00:00.003Z")
        // More than a number of JSON holds is the most it holds.
        #expect(document.sizeBytes == .max)
        let member = document.members[0]
        #expect(member.bus == "pci")
        #expect(member.address == "0000:41:00.3")
        #expect(member.subsystemVendorID == "0x15b3")
        #expect(member.subsystemDeviceID == "0x0058")
        #expect(member.sidecar == ImageSidecarDTO(sizeBytes: 4096, sha256: "cd"))
        #expect(document.members[1].sidecar == nil)
    }

    @Test("what an older Ferry did not write down is left out")
    func older() throws {
        let document = ImageDTO(try image())
        #expect(document.machine == nil && document.ferryVersion == nil && document.save == nil)
    }

    @Test("a session shows how much was left beside its device")
    func session() throws {
        var record = SessionRecord(
            id: try #require(SessionID("ses-1")),
            device: try #require(DeviceID("sim-0")),
            origin: .adopted,
            content: .live,
            isReproducible: false,
            openedAt: Self.time(0)
        )
        #expect(SessionDTO(record).sidecarBytes == nil)
        record.sidecar = Sidecar([UInt8](repeating: 1, count: 65_536))
        #expect(SessionDTO(record).sidecarBytes == 65_536)
    }
}
