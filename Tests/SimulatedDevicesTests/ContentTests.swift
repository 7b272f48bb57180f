import MigrationCore
import MigrationPorts
import SimulatedDevices
import Testing

@Suite("What simulated devices hold")
struct ContentTests {
    /// Sizes around every edge of how a state is cut into pages.
    static let sizes: [UInt64] = [
        16, 24, 56, 64, 72, 120, 128, 136, 408, 4088, 4096, 4104, 8192, 65_528, 65_536, 1_048_568,
        1_048_576, 1_048_584,
    ]

    @Test("the same seed makes the same content and the same bytes, another seed others")
    func determinism() throws {
        for profile in DeviceProfile.all where profile.flags != nil {
            let text = "\(profile.name):count=2,state=4096,seed="
            let (one, again) = (try Fixture(text + "7"), try Fixture(text + "7"))
            let other = try Fixture(text + "8")
            #expect(try one.digest(0) == again.digest(0))
            #expect(try one.digest(0) != other.digest(0))
            #expect(try one.digest(0) != one.digest(1), "two devices hold the same")
            let image = try one[0].save()
            #expect(try again[0].save() == image)
            #expect(try other[0].save() != image)
        }
    }

    @Test("any cut of the bytes carries the whole state over, at any size", arguments: sizes)
    func randomPieces(size: UInt64) throws {
        for profile in DeviceProfile.all where profile.flags != nil {
            let fixture = try Fixture([
                SimulationSpec(profile, count: 2, stateByteCount: size, seed: size)
            ])
            var generator = SeededGenerator(seed: size)
            let largest = size > 1 << 17 ? 1 << 18 : 300
            let image = try fixture[0].stream(.stopCopy).readAll {
                Int.random(in: 1...largest, using: &generator)
            }
            try fixture[1].stream(.resuming).writeAll(image) {
                Int.random(in: 1...largest, using: &generator)
            }
            _ = try fixture[1].set(.stop)
            #expect(try fixture.digest(1) == fixture.digest(0), "\(profile.name)")
            #expect(try fixture[1].save() == image, "\(profile.name)")
        }
    }

    @Test("the size that is told is the size that comes")
    func toldSize() throws {
        for profile in DeviceProfile.all where profile.flags != nil {
            for size in Self.sizes where size < 10_000 {
                let device = try Fixture([SimulationSpec(profile, stateByteCount: size)])[0]
                let told = try device.stopCopyByteCount()
                #expect(try told == UInt64(device.save().count), "\(profile.name) \(size)")
                #expect(try device.stopCopyByteCount() == 0)
            }
        }
        // As the kernel bench measured it.
        #expect(try Fixture("mtty")[0].stopCopyByteCount() == 96)
    }

    @Test("mtty gives 24 bytes in pre-copy and 72 in STOP_COPY, as the real one")
    func mttySizes() throws {
        let device = try Fixture("mtty")[0]
        let stream = try device.stream(.preCopy)
        #expect(try stream.readAll().count == 24)
        _ = try device.set(.stopCopy)
        #expect(try stream.readAll().count == 72)
    }

    @Test("a flipped bit anywhere is refused as the driver does, or changes the digest")
    func flippedBits() throws {
        for profile in DeviceProfile.all where profile.flags != nil {
            let fixture = try Fixture("\(profile.name):count=2,state=808,seed=3")
            let image = try fixture[0].save()
            let digest = try fixture.digest(0)
            var refusals: Set<Errno> = []
            for place in image.indices {
                var bad = image
                bad[place] ^= 1 << UInt8(place % 8)
                try fixture[1].reset()
                if let refusal = try errno({ try fixture[1].load(bad) }) {
                    refusals.insert(refusal)
                } else if !isIgnored(place, profile) {
                    #expect(try fixture.digest(1) != digest, "\(profile.name), byte \(place)")
                }
            }
            #expect(refusals == expectedRefusals(profile), "\(profile.name)")
        }
    }

    /// Whether a byte may change and leave no trace: the optional record that every driver may
    /// skip, and the flags of a record whose tag is known, which mlx5 and virtio do not look at.
    private func isIgnored(_ place: Int, _ profile: DeviceProfile) -> Bool {
        guard case .records = profile.format else { return false }
        // The identity record takes 40 bytes, the optional one 24, each page 24 and its 64.
        if place < 40 { return (8..<12).contains(place) }
        return place < 64 || (8..<12).contains((place - 64) % 88)
    }

    private func expectedRefusals(_ profile: DeviceProfile) -> Set<Errno> {
        switch profile.name {
        case "mlx5", "virtio": [.invalid, .notSupported, .noMemory]
        case "mtty": [.fault]
        case "pds": [.invalid, .io]
        default: [.invalid]
        }
    }

    @Test("a short stream is refused by those who look, and not noticed by mlx5 and virtio")
    func truncation() throws {
        for profile in DeviceProfile.all where profile.flags != nil {
            let fixture = try Fixture("\(profile.name):count=2,state=808")
            let image = try fixture[0].save()
            for byteCount in [0, 1, 23, 24, 25, image.count - 1] {
                try fixture[1].reset()
                let refusal = try errno { try fixture[1].load(Array(image[..<byteCount])) }
                switch profile.name {
                case "mlx5", "virtio": #expect(refusal == nil)
                case "pds": #expect(refusal == .io)
                default: #expect(refusal == .invalid)
                }
                try fixture[1].expect(refusal == nil ? .stop : .resuming)
            }
        }
    }

    @Test("a state of another size or another kind of device is refused")
    func mismatch() throws {
        let image = try Fixture("qat:state=4096")[0].save()
        #expect(try errno { try Fixture("qat:state=4104")[0].load(image) } == .invalid)
        #expect(try errno { try Fixture("hisi_acc:state=4096")[0].load(image) } == .invalid)
        #expect(try errno { try Fixture("mtty:state=4096")[0].load(image) } == .fault)
    }

    @Test("mtty forgets a stream that a wrong header began, and loads nothing of it")
    func forgottenHeader() throws {
        let fixture = try Fixture("mtty:count=2")
        var image = try fixture[0].save()
        image[0] ^= 1
        let before = try fixture.digest(1)
        let sink = try fixture[1].stream(.resuming)
        #expect(try errno { try sink.writeAll(image) } == .fault)
        #expect(try errno { try sink.writeAll(image) } == .fault)
        _ = try fixture[1].set(.stop)
        #expect(try fixture.digest(1) == before)
    }

    @Test("unknown records are skipped when they are optional, EOPNOTSUPP when they are not")
    func unknownRecords() throws {
        let optional: [UInt8] = [3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 99, 0, 0, 0, 1, 2, 3]
        for name in ["mlx5", "virtio"] {
            let fixture = try Fixture("\(name):count=2,state=808")
            let image = try fixture[0].save()
            try fixture[1].load(optional + image + optional)
            #expect(try fixture.digest(1) == fixture.digest(0))
            var mandatory = optional
            mandatory[8] = 0
            #expect(try errno { try fixture[1].load(mandatory) } == .notSupported)
            var large = optional
            large[5] = 1
            try fixture[1].reset()
            #expect(try errno { try fixture[1].load(large) } == .noMemory)
        }
    }

    @Test("more bytes than the state has are ENOMEM, and nothing of that write is taken")
    func tooManyBytes() throws {
        let fixture = try Fixture("mtty:count=2")
        let image = try fixture[0].save()
        let sink = try fixture[1].stream(.resuming)
        #expect(try errno { try sink.writeAll(image + [0]) } == .noMemory)
        try sink.writeAll(image)
        #expect(try errno { try sink.writeAll([0]) } == .noMemory)
        _ = try fixture[1].set(.stop)
        #expect(try fixture.digest(1) == fixture.digest(0))
    }

    @Test("reset, close and open empty a device, and every empty device holds the same")
    func emptiness() throws {
        let fixture = try Fixture("mlx5:count=3,state=64KiB", "mlx5:state=64KiB,seed=9")
        try fixture[0].reset()
        try fixture[1].close()
        let empty = try fixture.digest(0)
        #expect(try fixture.digest(1) == empty)
        #expect(try fixture.digest(2) != empty)
        let reopened = try fixture.backend.open(fixture.id(1), joining: nil)
        #expect(try fixture.digest(1) == empty)
        #expect(try reopened.save().contains { $0 != 0 }, "the match header is missing")
        try fixture[3].reset()
        #expect(try fixture.digest(3) == empty)
    }

    @Test("an empty device can be saved and loaded too")
    func emptyRoundTrip() throws {
        for profile in DeviceProfile.all where profile.flags != nil {
            let fixture = try Fixture("\(profile.name):count=2,state=808")
            try fixture[0].reset()
            try fixture[1].load(try fixture[0].save())
            #expect(try fixture.digest(1) == fixture.digest(0), "\(profile.name)")
        }
    }
}
