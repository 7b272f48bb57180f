import MigrationCore
import MigrationPorts
import SystemIO

extension BackendConformance {
    static let openingChecks: [ConformanceCheck] = [
        .init("the listing is sorted and has the device in it", .device) { bench in
            let ids = bench.backend.devices().map(\.id)
            try expect(ids == ids.sorted(), "the listing is not sorted")
            try expect(ids.contains(bench.device), "the listing lacks the device")
            try expect(bench.backend.device(bench.device)?.id == bench.device, "it is not found")
        },
        .init("a device that is not there cannot be opened", .device) { bench in
            let id = DeviceID("ferry-conformance-no-such-device")
            guard let id else { throw Violation(text: "not an identifier") }
            try expect(bench.backend.device(id) == nil, "it is found")
            try expectProblem([.deviceGone, .notFound]) {
                _ = try bench.backend.open(id, joining: nil)
            }
        },
        .init("an open device refuses a second open and a probe as busy", .device) { bench in
            let subject = try bench.openDevice()
            try expectProblem([.deviceBusy]) { _ = try bench.open(bench.device) }
            try expectProblem([.deviceBusy]) { _ = try bench.backend.probe(bench.device) }
            if subject.session.support.flags != nil { try subject.expectState(.running) }
        },
        .init("probing tells what opening tells, and the listing then shows it", .device) { bench in
            bench.idle(bench.device)
            let probed = try bench.backend.probe(bench.device)
            try expect(probed != .unknown, "probing learned nothing")
            try expect(bench.backend.device(bench.device)?.support == probed, "it is not shown")
            try expect(try bench.openDevice().session.support == probed, "opening tells another")
        },
        .init("a session knows its device", .device) { bench in
            try expect(try bench.openDevice().session.device == bench.device, "it names another")
        },
        .init("a closed session answers ENODEV, and closing it again does nothing", .device) {
            bench in
            let subject = try bench.openDevice()
            subject.session.close()
            subject.session.close()
            try expectErrno([.noDevice], "GET") { _ = try subject.session.state() }
            try expectErrno([.noDevice], "SET") { _ = try subject.session.set(.stop) }
            try expectErrno([.noDevice], "RESET") { try subject.session.reset() }
            try expectErrno([.noDevice], "MIG_DATA_SIZE") {
                _ = try subject.session.stopCopyByteCount()
            }
        },
        .init("closing an old session leaves a new one of the same device alone") { bench in
            let old = try bench.openDevice()
            old.session.close()
            let new = try bench.openDevice()
            try new.enter(.stop)
            old.session.close()
            try new.expectState(.stop)
        },
        .init("a device without migration answers ENOTTY to all of it", .noMigration) { bench in
            let session = try bench.openDevice().session
            try expect(session.support == .none, "its support is \(session.support.kind)")
            try expectErrno([.notTypewriter], "GET") { _ = try session.state() }
            for state in DeviceState.allCases {
                try expectErrno([.notTypewriter], "SET \(state.kernelName)") {
                    _ = try session.set(state)
                }
            }
            try expectErrno([.notTypewriter], "MIG_DATA_SIZE") {
                _ = try session.stopCopyByteCount()
            }
        },
        .init("descriptors of something else are not taken for the device", .device) { bench in
            bench.idle(bench.device)
            let descriptors = DeviceDescriptors(
                device: try FileDescriptor(opening: "/dev/null", 0),
                iommufd: try FileDescriptor(opening: "/dev/null", 0),
                pageTableID: nil
            )
            do {
                let session = try bench.backend.adopt(bench.device, descriptors)
                session.close()
            } catch {
                return
            }
            throw Violation(text: "/dev/null was adopted")
        },
        .init("a duplicate of the descriptors is the same open device") { bench in
            let first = try bench.openDevice()
            guard let descriptors = try first.session.duplicateDescriptors() else {
                throw Skip(reason: "the device has no descriptors")
            }
            let second = bench.adopt(try bench.backend.adopt(bench.device, descriptors))
            try first.enter(.stop)
            try second.expectState(.stop)
            first.session.close()
            // Not the last close: nothing is lost.
            try second.expectState(.stop)
        },
    ]
}

/// Runs what must fail with a problem of one of these codes.
func expectProblem(_ codes: Set<Problem.Code>, _ body: () throws -> Void) throws {
    do {
        try body()
    } catch let problem as Problem {
        let names = codes.map(\.rawValue).sorted().joined(separator: " or ")
        try expect(
            codes.contains(problem.code),
            "the problem is \(problem.code.rawValue), not \(names)"
        )
        return
    }
    throw Violation(text: "it succeeded")
}
