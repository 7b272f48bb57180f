import MigrationCore
import MigrationPorts

/// What drivers answer a stream that is not right with.
private let refusals: Set<Errno> = [
    .invalid, .fault, .notSupported, .noMemory, .io, .badMessage, .noDevice,
]

extension BackendConformance {
    static let loadChecks: [ConformanceCheck] = [
        .init("what was saved loads again, cut into any pieces") { bench in
            let subject = try bench.openDeviceWithContent()
            for pieces in [[1 << 20], [1, 2, 3, 5, 7, 11, 13, 4096], [8191, 1]] {
                try subject.load(try subject.save(pieces: pieces), pieces: pieces.reversed())
                try subject.enter(.stop)
            }
            try subject.enter(.running)
        },
        .init("a stream cut short is refused at RESUMING→STOP, or not noticed") { bench in
            let subject = try bench.openDevice()
            let image = try subject.save()
            for byteCount in [0, 1, image.count / 2, image.count - 1] {
                try subject.session.reset()
                try subject.load(Array(image[..<byteCount]))
                try leaveResumingOrStay(subject)
            }
        },
        .init("a refused stream is refused on the way to every state") { bench in
            let subject = try bench.openDevice()
            let short = try Array(subject.save().dropLast())
            for target in [DeviceState.stop, .running, .stopCopy] {
                try subject.session.reset()
                try subject.load(short)
                do {
                    _ = try subject.set(target)
                    throw Skip(reason: "the driver does not notice a short stream")
                } catch let errno as Errno {
                    try expect(refusals.contains(errno), "it failed with \(errno.name)")
                    try subject.expectState(.resuming)
                }
            }
        },
        .init("a wrong match header is refused by write, or not noticed") { bench in
            let subject = try bench.openDevice()
            var image = try subject.save()
            for byte in image.indices.prefix(8) { image[byte] ^= 0xa5 }
            try subject.session.reset()
            let stream = try subject.enterWithStream(.resuming)
            do {
                try writeAll(image, to: stream)
            } catch let errno as Errno {
                try expect(refusals.contains(errno), "it failed with \(errno.name)")
            }
            // mtty accepts RESUMING→STOP after the write failed: only RESET is sure.
            try leaveResumingOrStay(subject)
        },
        .init("more bytes than a state has are refused") { bench in
            let subject = try bench.openDevice()
            let image = try subject.save()
            try subject.session.reset()
            let stream = try subject.load(image)
            do {
                try writeAll(Array(repeating: 0xa5, count: 1 << 20), to: stream)
            } catch let errno as Errno {
                try expect(refusals.contains(errno), "it failed with \(errno.name)")
                return try leaveResumingOrStay(subject)
            }
            throw Skip(reason: "the driver takes bytes beyond the end")
        },
        .init("a flipped bit is refused, or the device holds something else") { bench in
            let subject = try bench.openDeviceWithContent()
            var image = try subject.save()
            let digest = try bench.digest(of: bench.device)
            for place in [image.count - 1, image.count / 2, image.count * 3 / 4] {
                image[place] ^= 0x10
                let stream = try subject.enterWithStream(.resuming)
                do {
                    try writeAll(image, to: stream)
                    _ = try subject.set(.stop)
                    try expect(
                        try bench.digest(of: bench.device) != digest,
                        "a flipped bit in byte \(place) of \(image.count) shows nowhere"
                    )
                } catch let errno as Errno {
                    try expect(refusals.contains(errno), "it failed with \(errno.name)")
                }
                image[place] ^= 0x10
                try subject.session.reset()
            }
        },
    ]

    /// After a stream that is not right: the device goes to STOP or stays in RESUMING, never
    /// anywhere else, and RESET brings it back.
    private static func leaveResumingOrStay(_ subject: Subject) throws {
        do {
            _ = try subject.set(.stop)
            try subject.expectState(.stop)
        } catch let errno as Errno {
            try expect(refusals.contains(errno), "RESUMING→STOP failed with \(errno.name)")
            let state = try subject.state()
            try expect(
                state == .resuming || state == .error,
                "the state after the refusal is \(state.kernelName)"
            )
        }
        try subject.session.reset()
        try subject.expectState(.running)
    }
}
