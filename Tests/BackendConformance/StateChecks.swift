import MigrationCore
import MigrationPorts

extension BackendConformance {
    static let stateChecks: [ConformanceCheck] =
        [
            .init("a device that was opened is RUNNING") { bench in
                try bench.openDevice().expectState(.running)
            },
            .init("SET to ERROR is EINVAL from every state, which stays") { bench in
                let subject = try bench.openDevice()
                for state in DeviceState.allCases where isEntered(state, subject.flags) {
                    try restart(subject, in: state)
                    try subject.expectRefused(.error, [.invalid])
                }
            },
            .init("SET to a state whose flag is missing is EINVAL, and the state stays") { bench in
                let subject = try bench.openDevice()
                let missing = DeviceState.allCases.filter { !subject.flags.supports($0) }
                guard !missing.isEmpty else { throw Skip(reason: "the device has every flag") }
                for state in DeviceState.allCases where isEntered(state, subject.flags) {
                    try restart(subject, in: state)
                    for target in missing { try subject.expectRefused(target, [.invalid]) }
                }
            },
            .init("SET to the present state succeeds, without a new stream") { bench in
                let subject = try bench.openDevice()
                for state in DeviceState.allCases where isEntered(state, subject.flags) {
                    try restart(subject, in: state)
                    try subject.enter(state)
                }
            },
            .init("STOP_COPY does not go back to a pre-copy state", .flags([.stopCopy, .preCopy])) {
                bench in
                let subject = try bench.openDevice()
                try subject.enter(.stopCopy)
                try subject.expectRefused(.preCopy, [.invalid])
                if subject.flags.contains(.p2p) {
                    try subject.expectRefused(.preCopyP2P, [.invalid])
                }
            },
            .init("the size of STOP_COPY can be asked in every state") { bench in
                let subject = try bench.openDevice()
                for state in DeviceState.allCases where isEntered(state, subject.flags) {
                    try restart(subject, in: state)
                    do throws(Errno) {
                        _ = try subject.session.stopCopyByteCount()
                    } catch {
                        guard error == .notTypewriter else { throw error }
                        throw Skip(reason: "the driver has no MIG_DATA_SIZE")
                    }
                    try subject.expectState(state)
                }
            },
        ] + DeviceState.allCases.filter { $0 != .error }.map(walks)

    /// Every SET from one state, against the kernel's table.
    private static func walks(from state: DeviceState) -> ConformanceCheck {
        .init(
            "from \(state.kernelName) every SET goes where the kernel's table says",
            .flags(flagsNeeded(by: state))
        ) { bench in
            let subject = try bench.openDevice()
            let image = state == .resuming ? try subject.save() : []
            for target in DeviceState.allCases where target != .error {
                try subject.session.reset()
                let stream = try subject.enter(state)
                if state == .resuming, let stream { try writeAll(image, to: stream) }
                try walk(subject, stream, to: target)
            }
        }
    }

    private static func walk(
        _ subject: Subject,
        _ stream: (any MigrationStream)?,
        to target: DeviceState
    ) throws {
        let from = try subject.state()
        let path: StatePath
        do {
            path = try MigrationStateMachine.path(from: from, to: target, flags: subject.flags)
        } catch {
            return try subject.expectRefused(target, [.invalid])
        }
        let new = try subject.enter(target)
        guard let stream else { return }
        let direction: StreamDirection = from == .resuming ? .resume : .save
        if path.endsStream { try expectDead(stream, direction) }
        if !path.endsStream, direction == .save {
            _ = try readToTemporaryEnd(stream)
        }
        new?.close()
    }

    private static func flagsNeeded(by state: DeviceState) -> MigrationFlags {
        switch state {
        case .runningP2P: [.stopCopy, .p2p]
        case .preCopy: [.stopCopy, .preCopy]
        case .preCopyP2P: [.stopCopy, .p2p, .preCopy]
        default: .stopCopy
        }
    }
}

/// Whether a device with these flags can be put into a state.
func isEntered(_ state: DeviceState, _ flags: MigrationFlags) -> Bool {
    state != .error && flags.supports(state)
}

/// Resets a device and puts it into a state.
@discardableResult
func restart(_ subject: Subject, in state: DeviceState) throws -> (any MigrationStream)? {
    try subject.session.reset()
    return try subject.enter(state)
}
