import MigrationCore
import MigrationPorts
import SimulatedDevices
import Testing

@Suite("How simulated devices change while they run")
struct DirtyTests {
    /// What a page costs in a stream of records, beyond its bytes.
    private let pageOverhead: UInt64 = 24

    @Test("a device dirties as many bytes a second as it was told, and no more than it has")
    func rate() throws {
        let fixture = try Fixture("mlx5:state=4MiB,dirty=640KiB")
        let stream = try fixture[0].stream(.preCopy)
        _ = try stream.readAll()
        for (milliseconds, pages) in [(100, 1), (100, 1), (500, 5), (1000, 10), (60_000, 64)] {
            fixture.clock.advance(by: .milliseconds(milliseconds))
            let info = try stream.preCopyInfo()
            #expect(info.initialByteCount == 0)
            #expect(info.dirtyByteCount == UInt64(pages) * (65_536 + pageOverhead))
            #expect(try UInt64(stream.readAll().count) == info.dirtyByteCount)
        }
    }

    @Test("the rate is kept over many small steps as over a large one")
    func smallSteps() throws {
        let (small, large) = (try Fixture("xe:dirty=1000003"), try Fixture("xe:dirty=1000003"))
        for _ in 0..<1000 {
            small.clock.advance(by: .microseconds(1777))
            _ = try small.digest(0)
        }
        large.clock.advance(by: .microseconds(1_777_000))
        #expect(try small.digest(0) == large.digest(0))
    }

    @Test("a device changes in the states in which it can act, and in no other")
    func actingStates() throws {
        let fixture = try Fixture("mlx5:state=64KiB,dirty=1MiB")
        for state in DeviceState.allCases where state != .error && state != .resuming {
            _ = try fixture[0].set(.running)
            _ = try fixture[0].set(state)
            let before = try fixture.digest(0)
            fixture.clock.advance(by: .seconds(1))
            #expect(try (fixture.digest(0) != before) == state.canAct, "\(state.kernelName)")
        }
    }

    @Test("a device without a rate, and an empty one, never change")
    func stillness() throws {
        let fixture = try Fixture("mlx5:state=64KiB", "mlx5:state=64KiB,dirty=1GiB")
        try fixture[1].reset()
        let before = (try fixture.digest(0), try fixture.digest(1))
        fixture.clock.advance(by: .seconds(1_000_000))
        #expect(try (fixture.digest(0), fixture.digest(1)) == before)
    }

    @Test("a year of the highest rate is done at once")
    func extremes() throws {
        let fixture = try Fixture("mlx5:state=64MiB,dirty=1024GiB")
        let stream = try fixture[0].stream(.preCopy)
        let before = try fixture.digest(0)
        fixture.clock.advance(by: .seconds(365 * 86_400))
        #expect(try fixture.digest(0) != before)
        #expect(try stream.preCopyInfo().initialByteCount > 64 << 20)
    }

    @Test("without PRECOPY_INFO no new snapshot comes, and ENOMSG repeats")
    func trigger() throws {
        for name in ["mlx5", "virtio"] {
            let fixture = try Fixture("\(name):state=1MiB,dirty=640KiB")
            let stream = try fixture[0].stream(.preCopy)
            _ = try stream.readAll()
            fixture.clock.advance(by: .seconds(5))
            #expect(try stream.readAll().isEmpty)
            _ = try stream.preCopyInfo()
            #expect(try !stream.readAll().isEmpty)
        }
    }

    @Test("virtio takes at most one new snapshot a second")
    func snapshotInterval() throws {
        let fixture = try Fixture("virtio:state=1MiB,dirty=640KiB")
        let stream = try fixture[0].stream(.preCopy)
        _ = try stream.readAll()
        fixture.clock.advance(by: .milliseconds(999))
        #expect(try stream.preCopyInfo().dirtyByteCount == 0)
        #expect(try stream.readAll().isEmpty)
        fixture.clock.advance(by: .milliseconds(1))
        #expect(try stream.preCopyInfo().dirtyByteCount > 0)
        #expect(try !stream.readAll().isEmpty)
        fixture.clock.advance(by: .milliseconds(999))
        #expect(try stream.preCopyInfo().dirtyByteCount == 0)
    }

    @Test("in PRE_COPY_P2P PRECOPY_INFO starts no snapshot")
    func noTriggerInP2P() throws {
        let fixture = try Fixture("mlx5:state=1MiB,dirty=640KiB")
        let stream = try fixture[0].stream(.preCopy)
        _ = try stream.readAll()
        _ = try fixture[0].set(.preCopyP2P)
        fixture.clock.advance(by: .seconds(1))
        #expect(try stream.preCopyInfo().dirtyByteCount > 0)
        #expect(try stream.readAll().isEmpty)
        _ = try fixture[0].set(.stopCopy)
        #expect(try !stream.readAll().isEmpty)
    }

    @Test("the header-only pre-copies end at once, with 0, and the rest comes in STOP_COPY")
    func headerOnly() throws {
        for name in ["hisi_acc", "qat", "mtty"] {
            let fixture = try Fixture("\(name):count=2,dirty=1MiB")
            let stream = try fixture[0].stream(.preCopy)
            #expect(try stream.preCopyInfo() == .init(initialByteCount: 24, dirtyByteCount: 0))
            var image = try stream.readAll()
            #expect(image.count == 24)
            fixture.clock.advance(by: .seconds(1))
            #expect(try stream.preCopyInfo() == .init(initialByteCount: 0, dirtyByteCount: 0))
            _ = try fixture[0].set(.stopCopy)
            image += try stream.readAll()
            try fixture[1].load(image)
            #expect(try fixture.digest(1) == fixture.digest(0))
        }
    }

    @Test(
        "whatever is dirtied and read when, the target ends with what the source stopped with",
        arguments: 0..<40
    )
    func anySchedule(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let name = ["mlx5", "virtio"][Int(seed % 2)]
        let size = UInt64.random(in: 2...2000, using: &generator) * 8
        let rate = UInt64.random(in: 0...200_000, using: &generator)
        let fixture = try Fixture("\(name):count=2,state=\(size),dirty=\(rate),seed=\(seed)")
        fixture.clock.advance(by: .milliseconds(Int.random(in: 0...5000, using: &generator)))
        let stream = try fixture[0].stream(.preCopy)
        let sink = try fixture[1].stream(.resuming)
        for _ in 0..<200 {
            switch Int.random(in: 0..<5, using: &generator) {
            case 0: _ = try stream.preCopyInfo()
            case 1:
                _ = try fixture[0].set(Bool.random(using: &generator) ? .preCopy : .preCopyP2P)
            case 2:
                fixture.clock.advance(
                    by: .milliseconds(Int.random(in: 0...300, using: &generator))
                )
            default:
                // One read, so that pages change while they are being read.
                var pieces = 1
                try sink.writeAll(
                    stream.readAll {
                        pieces -= 1
                        return pieces < 0 ? 0 : Int.random(in: 1...500, using: &generator)
                    }
                )
            }
        }
        _ = try fixture[0].set(.stopCopy)
        try sink.writeAll(stream.readAll())
        _ = try fixture[1].set(.stop)
        #expect(try fixture.digest(1) == fixture.digest(0))
    }
}
