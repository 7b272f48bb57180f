import MigrationCore
import MigrationPorts
import SystemIO

extension BackendConformance {
    static let streamChecks: [ConformanceCheck] = [
        .init("a STOP_COPY stream ends with 0, every time it is asked") { bench in
            let subject = try bench.openDevice()
            let stream = try subject.enterWithStream(.stopCopy)
            try expect(try !readToEnd(stream).isEmpty, "the state has no bytes")
            for _ in 0..<3 {
                try expect(try readToEnd(stream).isEmpty, "bytes came after the end")
            }
            try subject.expectState(.stopCopy)
        },
        .init("the stream lives on when its state is SET again") { bench in
            let subject = try bench.openDevice()
            let stream = try subject.enterWithStream(.stopCopy)
            try subject.enter(.stopCopy)
            try expect(try !readToEnd(stream).isEmpty, "the stream is at its end")
        },
        .init("a stream is dead with ENODEV once its state is left, and stays dead") { bench in
            let subject = try bench.openDevice()
            let first = try subject.enterWithStream(.stopCopy)
            try subject.enter(.stop)
            try expectDead(first, .save)
            let second = try subject.enterWithStream(.stopCopy)
            try expectDead(first, .save)
            try expect(try !readToEnd(second).isEmpty, "the second stream has no bytes")
        },
        .init("a stream is dead after RESET") { bench in
            let subject = try bench.openDevice()
            let saving = try subject.enterWithStream(.stopCopy)
            try subject.session.reset()
            try expectDead(saving, .save)
            let resuming = try subject.enterWithStream(.resuming)
            try subject.session.reset()
            try expectDead(resuming, .resume)
        },
        .init("a stream is dead after the device is closed") { bench in
            let saving = try bench.openDevice()
            let stream = try saving.enterWithStream(.stopCopy)
            saving.session.close()
            try expectDead(stream, .save)
            let resuming = try bench.openDevice()
            let sink = try resuming.enterWithStream(.resuming)
            resuming.session.close()
            try expectDead(sink, .resume)
        },
        .init("reading a resuming stream and writing a saving one are EBADF") { bench in
            let subject = try bench.openDevice()
            let buffer = IOBuffer(byteCount: 16)
            let saving = try subject.enterWithStream(.stopCopy)
            try expectErrno([.badDescriptor], "a write to the saving stream") {
                _ = try unsafe saving.write(buffer.prefix(16))
            }
            let resuming = try subject.enterWithStream(.resuming)
            try expectErrno([.badDescriptor], "a read of the resuming stream") {
                _ = try unsafe resuming.read(into: buffer.bytes)
            }
        },
        .init("closing a stream changes no state") { bench in
            let subject = try bench.openDevice()
            for state in DeviceState.allCases where state.hasStream {
                guard isEntered(state, subject.flags) else { continue }
                guard let stream = try restart(subject, in: state) else { continue }
                stream.close()
                stream.close()
                try subject.expectState(state)
                try expectDead(stream, .save)
                try expectDead(stream, .resume)
            }
        },
        .init("RESUMING with a complete stream goes on to STOP_COPY with a stream of its own") {
            bench in
            let subject = try bench.openDevice()
            let image = try subject.save()
            let sink = try subject.load(image)
            let stream = try subject.enterWithStream(.stopCopy)
            try expectDead(sink, .resume)
            try expect(try !readToEnd(stream).isEmpty, "the stream has no bytes")
        },
        .init("PRECOPY_INFO is refused on a resuming stream") { bench in
            let stream = try bench.openDevice().enterWithStream(.resuming)
            try expectErrno([.notTypewriter, .invalid], "PRECOPY_INFO") {
                _ = try stream.preCopyInfo()
            }
        },
        .init("PRECOPY_INFO is EINVAL on a stream that STOP_COPY opened") { bench in
            let stream = try bench.openDevice().enterWithStream(.stopCopy)
            // A driver without pre-copy has no ioctl on its streams at all.
            try expectErrno([.invalid, .notTypewriter], "PRECOPY_INFO") {
                _ = try stream.preCopyInfo()
            }
        },
    ]
}
