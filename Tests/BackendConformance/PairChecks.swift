import MigrationCore
import MigrationPorts

extension BackendConformance {
    static let pairChecks: [ConformanceCheck] = [
        .init("two devices have each a state of their own", .pair) { bench in
            let (first, second) = (try bench.openDevice(), try bench.openPartner())
            try first.enter(.stop)
            try second.expectState(.running)
            try second.enter(.stopCopy)
            try first.expectState(.stop)
            try first.session.reset()
            try second.expectState(.stopCopy)
            first.session.close()
            try second.expectState(.stopCopy)
        },
        .init("a device that joins another's address space is a device of its own", .pair) {
            bench in
            let first = try bench.openDevice()
            let second = try bench.openPartner(joining: first)
            try second.enter(.stop)
            try first.expectState(.running)
            first.session.close()
            try second.expectState(.stop)
        },
        .init("what one device held the other holds after a save and a load", .pair) { bench in
            let source = try bench.openDeviceWithContent()
            let target = try bench.openPartner()
            let image = try source.save()
            try target.load(image)
            try target.enter(.stop)
            try expectEqualContent(bench)
            try expect(try target.save() == image, "the target saves other bytes than it was given")
            try target.enter(.running)
        },
        .init("pre-copy of one device loads into the other while it runs", .pair) { bench in
            let source = try bench.openDeviceWithContent()
            guard source.flags.contains(.preCopy) else { throw Skip(reason: "no pre-copy") }
            let target = try bench.openPartner()
            let sink = try target.enterWithStream(.resuming)
            let stream = try source.enterWithStream(.preCopy)
            for _ in 0..<4 {
                try writeAll(try readToTemporaryEnd(stream), to: sink)
                _ = try stream.preCopyInfo()
            }
            if source.flags.contains(.p2p) { try source.enter(.preCopyP2P) }
            try source.enter(.stopCopy)
            try writeAll(try readToEnd(stream), to: sink)
            try target.enter(.stop)
            try expectEqualContent(bench)
            try target.enter(.running)
            try source.enter(.stop)
        },
        .init("a source that goes back to RUNNING holds what it held", .pair) { bench in
            let source = try bench.openDeviceWithContent()
            _ = try source.save()
            let stopped = try bench.digest(of: bench.device)
            try source.enter(.stop)
            try expect(try bench.digest(of: bench.device) == stopped, "STOP changed it")
            try source.enter(.running)
            try source.expectState(.running)
        },
    ]

    /// Where the devices show what they hold, both hold the same.
    private static func expectEqualContent(_ bench: ConformanceBench) throws {
        guard let partner = bench.partner, let source = try? bench.digest(of: bench.device) else {
            return
        }
        try expect(try bench.digest(of: partner) == source, "the two hold different things")
    }
}
