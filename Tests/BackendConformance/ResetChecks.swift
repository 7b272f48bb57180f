import MigrationCore
import MigrationPorts

extension BackendConformance {
    static let resetChecks: [ConformanceCheck] = [
        .init("RESET leads to RUNNING from every state") { bench in
            let subject = try bench.openDevice()
            for state in DeviceState.allCases where isEntered(state, subject.flags) {
                try restart(subject, in: state)
                try subject.session.reset()
                try subject.expectState(.running)
            }
        },
        .init("RESET leaves RESUMING in the middle of a stream, and the device is usable") {
            bench in
            let subject = try bench.openDevice()
            let image = try subject.save()
            try subject.load(Array(image[..<(image.count / 2)]))
            try subject.session.reset()
            try subject.expectState(.running)
            try subject.load(image)
            try subject.enter(.stop)
        },
        .init("RESET loses what a device holds") { bench in
            try bench.requireContent()
            let subject = try bench.openDeviceWithContent()
            let before = try bench.digest(of: bench.device)
            try subject.session.reset()
            try expect(try bench.digest(of: bench.device) != before, "the content is still there")
        },
        .init("a device that is closed and opened again is RUNNING, from every state") { bench in
            let flags = try bench.openDevice().flags
            bench.closeAll()
            for state in DeviceState.allCases where isEntered(state, flags) {
                let subject = try bench.openDevice()
                try subject.expectState(.running)
                try subject.enter(state)
                subject.session.close()
            }
            try bench.openDevice().expectState(.running)
        },
        .init("a device that is closed and opened again has lost what it held") { bench in
            try bench.requireContent()
            let subject = try bench.openDeviceWithContent()
            let before = try bench.digest(of: bench.device)
            subject.session.close()
            let again = try bench.openDevice()
            let empty = try bench.digest(of: bench.device)
            try expect(empty != before, "the content is still there")
            try again.session.reset()
            try expect(try bench.digest(of: bench.device) == empty, "empty is not always the same")
        },
        .init("a device without migration can be reset or says EINVAL", .noMigration) { bench in
            let session = try bench.openDevice().session
            do throws(Errno) {
                try session.reset()
            } catch {
                try expect(error == .invalid, "RESET failed with \(error.name)")
            }
        },
    ]
}
