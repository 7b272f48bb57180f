import Foundation
import MigrationCore
import Testing

@Suite("Sidecars")
struct SidecarTests {
    private func decoded(_ text: String) throws -> Sidecar {
        try JSONDecoder().decode([Sidecar].self, from: Data("[\"\(text)\"]".utf8))[0]
    }

    @Test("one has 1 to 65,536 bytes")
    func bounds() {
        #expect(Sidecar([]) == nil)
        #expect(Sidecar([0])?.bytes == [0])
        let most = [UInt8](repeating: 7, count: 65_536)
        #expect(Sidecar(most)?.bytes == most)
        #expect(Sidecar(most + [7]) == nil)
    }

    @Test("every byte comes back from its text")
    func roundTrip() throws {
        let sidecar = try #require(Sidecar((0...255).map { UInt8($0) }))
        let text = try JSONEncoder().encode([sidecar])
        #expect(String(decoding: text, as: UTF8.self).hasPrefix("[\"000102"))
        #expect(try JSONDecoder().decode([Sidecar].self, from: text) == [sidecar])
        #expect(try decoded("ff00").bytes == [255, 0])
    }

    @Test("other text is none", arguments: ["", "0", "0g", "FF", "0x00", "é0", " 00", "00 "])
    func otherText(text: String) {
        #expect(throws: DecodingError.self) { try decoded(text) }
    }

    @Test("text of too many bytes is none")
    func longText() throws {
        #expect(try decoded(String(repeating: "00", count: 65_536)).bytes.count == 65_536)
        #expect(throws: DecodingError.self) {
            try decoded(String(repeating: "00", count: 65_537))
        }
    }

    private func session() throws -> SessionRecord {
        var session = SessionRecord(
            id: try #require(SessionID("ses-1")),
            device: try #require(DeviceID("sim-0")),
            origin: .adopted,
            content: .live,
            isReproducible: false,
            openedAt: Timestamp(millisecondsSinceEpoch: 0)
        )
        session.sidecar = Sidecar([1, 2])
        return session
    }

    @Test("it goes when the session ends", arguments: ["collected", "closed", "lost"])
    func sessionEnds(status: String) throws {
        var session = try session()
        session.status = try #require(SessionRecord.Status(rawValue: status))
        #expect(session.sidecar == nil)
    }

    @Test("it goes with the content, and stays with content that moved in")
    func contentGoes() throws {
        for content in [DeviceContent.empty, .lost] {
            var session = try session()
            session.content = content
            #expect(session.sidecar == nil)
            // A device may be given one before it is filled.
            session.sidecar = Sidecar([3])
            session.note = "changed"
            session.content = .loaded
            #expect(session.sidecar?.bytes == [3])
        }
    }

    @Test("a session stored without the field has none")
    func olderSession() throws {
        var session = try session()
        session.sidecar = nil
        let text = try JSONEncoder().encode(session)
        #expect(!String(decoding: text, as: UTF8.self).contains("sidecar"))
        #expect(try JSONDecoder().decode(SessionRecord.self, from: text) == session)
    }
}

@Suite("Records of images")
struct ImageRecordTests {
    private func image(_ byteCounts: [UInt64]) throws -> ImageRecord {
        ImageRecord(
            id: try #require(ImageID("image-1")),
            job: try #require(JobID("job-1")),
            createdAt: Timestamp(millisecondsSinceEpoch: 1),
            members: try byteCounts.map { byteCount in
                ImageRecord.Member(
                    device: try #require(DeviceID("sim-0")),
                    driver: "mtty",
                    vendorID: 0x4348,
                    deviceID: 0x3253,
                    flags: 7,
                    byteCount: byteCount,
                    sha256: "00"
                )
            },
            sourceResumed: false,
            kernelRelease: "6.12.0"
        )
    }

    @Test("its size is the sum, and never more than a number holds")
    func byteCount() throws {
        #expect(try image([]).byteCount == 0)
        #expect(try image([1, 2, 3]).byteCount == 6)
        #expect(try image([.max, 0]).byteCount == .max)
        #expect(try image([.max, .max, 7]).byteCount == .max)
    }

    @Test("one stored before there were sidecars, times and identities is read")
    func olderImage() throws {
        let text = """
            {"id":"image-1","job":"job-1","createdAt":{"millisecondsSinceEpoch":1},"members":[\
            {"device":"sim-0","driver":"mtty","vendorID":17224,"deviceID":12883,"flags":7,\
            "byteCount":5,"sha256":"00"}],"sourceResumed":false,"kernelRelease":"6.12.0"}
            """
        let read = try JSONDecoder().decode(ImageRecord.self, from: Data(text.utf8))
        #expect(try read == image([5]))
        #expect(read.machine == nil && read.save == nil && read.members[0].sidecar == nil)
    }

    @Test("a member says all that the inventory says of what its device is")
    func member() throws {
        var device = DeviceRecord(
            id: try #require(DeviceID("pci-0000:41:00.3")),
            backend: .kernel,
            bus: .pci,
            address: "0000:41:00.3"
        )
        device.driver = "mlx5_vfio_pci"
        device.vendorID = 0x15b3
        device.deviceID = 0x101e
        device.subsystemVendorID = 0x15b4
        device.subsystemDeviceID = 0x58
        let member = ImageRecord.Member(of: device, flags: 7, byteCount: 9, sha256: "ab")
        #expect(member.device == device.id)
        #expect(member.bus == .pci)
        #expect(member.address == "0000:41:00.3")
        #expect(member.driver == "mlx5_vfio_pci")
        #expect(member.vendorID == 0x15b3 && member.deviceID == 0x101e)
        #expect(member.subsystemVendorID == 0x15b4 && member.subsystemDeviceID == 0x58)
        #expect(member.sidecar == nil)
    }
}
