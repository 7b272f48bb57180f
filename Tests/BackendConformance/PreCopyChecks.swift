import MigrationCore
import MigrationPorts

extension BackendConformance {
    static let preCopyChecks: [ConformanceCheck] = [
        .init("PRECOPY_INFO answers in PRE_COPY and is EINVAL in STOP_COPY", preCopy) { bench in
            let subject = try bench.openDevice()
            let stream = try subject.enterWithStream(.preCopy)
            _ = try stream.preCopyInfo()
            _ = try readToTemporaryEnd(stream)
            _ = try stream.preCopyInfo()
            try subject.enter(.stopCopy)
            try expectErrno([.invalid], "PRECOPY_INFO") { _ = try stream.preCopyInfo() }
        },
        .init("PRECOPY_INFO answers in PRE_COPY_P2P", .flags([.stopCopy, .p2p, .preCopy])) {
            bench in
            let subject = try bench.openDevice()
            let stream = try subject.enterWithStream(.preCopy)
            try subject.enter(.preCopyP2P)
            _ = try stream.preCopyInfo()
        },
        .init("PRECOPY_INFO fails once pre-copy was left", preCopy) { bench in
            let subject = try bench.openDevice()
            let stream = try subject.enterWithStream(.preCopy)
            try subject.enter(.running)
            // Drivers differ in whether they look at the state or the stream first.
            try expectErrno([.noDevice, .invalid], "PRECOPY_INFO") {
                _ = try stream.preCopyInfo()
            }
        },
        .init("initial_bytes never grows and is 0 when the initial part is read", preCopy) {
            bench in
            let subject = try bench.openDevice()
            let stream = try subject.enterWithStream(.preCopy)
            let before = try stream.preCopyInfo().initialByteCount
            let bytes = try readToTemporaryEnd(stream)
            let after = try stream.preCopyInfo().initialByteCount
            try expect(after <= before, "initial_bytes grew from \(before) to \(after)")
            try expect(after == 0, "\(after) initial bytes are left at the temporary end")
            try expect(
                UInt64(bytes.count) >= before,
                "\(before) initial bytes were told and \(bytes.count) came"
            )
        },
        .init("pre-copy goes on to STOP_COPY with the same stream, and all of it loads", preCopy) {
            bench in
            let subject = try bench.openDeviceWithContent()
            let stream = try subject.enterWithStream(.preCopy)
            var image = try readToTemporaryEnd(stream)
            _ = try stream.preCopyInfo()
            image += try readToTemporaryEnd(stream)
            if subject.flags.contains(.p2p) {
                try subject.enter(.preCopyP2P)
                image += try readToTemporaryEnd(stream)
            }
            try subject.enter(.stopCopy)
            image += try readToEnd(stream)
            try subject.load(image)
            try subject.enter(.stop)
            try subject.enter(.running)
        },
        .init("pre-copy goes straight to STOP_COPY with nothing read before", preCopy) { bench in
            let subject = try bench.openDevice()
            let stream = try subject.enterWithStream(.preCopy)
            try subject.enter(.stopCopy)
            let image = try readToEnd(stream)
            try subject.load(image)
            try subject.enter(.stop)
        },
        .init("pre-copy can be left and begun again, with a new stream each time", preCopy) {
            bench in
            let subject = try bench.openDevice()
            var streams: [any MigrationStream] = []
            for _ in 0..<3 {
                streams.append(try subject.enterWithStream(.preCopy))
                try subject.enter(.running)
                for stream in streams { try expectDead(stream, .save) }
            }
        },
        .init(
            "PRE_COPY and PRE_COPY_P2P share one stream, both ways",
            .flags([.stopCopy, .p2p, .preCopy])
        ) { bench in
            let subject = try bench.openDevice()
            let stream = try subject.enterWithStream(.preCopy)
            for state in [DeviceState.preCopyP2P, .preCopy, .preCopyP2P] {
                try subject.enter(state)
                _ = try readToTemporaryEnd(stream)
            }
            try subject.enter(.runningP2P)
            try expectDead(stream, .save)
        },
    ]

    private static let preCopy = ConformanceCheck.Need.flags([.stopCopy, .preCopy])
}
