/// A state of the VFIO migration state machine, with the kernel's number.
///
/// Source: `enum vfio_device_mig_state`. Zero is `ERROR`, so a zeroed payload asks for `ERROR`.
package enum DeviceState: UInt32, CaseIterable, Sendable {
    case error = 0
    case stop = 1
    case running = 2
    case stopCopy = 3
    case resuming = 4
    case runningP2P = 5
    case preCopy = 6
    case preCopyP2P = 7

    /// The kernel's name, as debugfs prints it: `RUNNING_P2P`.
    package var kernelName: String {
        switch self {
        case .error: "ERROR"
        case .stop: "STOP"
        case .running: "RUNNING"
        case .stopCopy: "STOP_COPY"
        case .resuming: "RESUMING"
        case .runningP2P: "RUNNING_P2P"
        case .preCopy: "PRE_COPY"
        case .preCopyP2P: "PRE_COPY_P2P"
        }
    }

    /// The state with this kernel name, if there is one.
    package init?(kernelName: some StringProtocol) {
        guard let state = Self.allCases.first(where: { $0.kernelName == kernelName }) else {
            return nil
        }
        self = state
    }

    /// Whether a migration stream is open while the device is in this state.
    package var hasStream: Bool {
        switch self {
        case .stopCopy, .resuming, .preCopy, .preCopyP2P: true
        case .error, .stop, .running, .runningP2P: false
        }
    }

    /// Whether the device can act (DMA, interrupts) in this state.
    package var canAct: Bool {
        switch self {
        case .running, .runningP2P, .preCopy, .preCopyP2P: true
        case .error, .stop, .stopCopy, .resuming: false
        }
    }
}

extension DeviceState {
    /// The state a device with these flags is SET to when its set goes to this one; nil when the
    /// step does not apply to it and is left out.
    ///
    /// A device without pre-copy stays in RUNNING while the others pre-copy.
    package func effective(with flags: MigrationFlags) -> DeviceState? {
        guard !flags.contains(.preCopy) else { return self }
        return switch self {
        case .preCopy: nil
        case .preCopyP2P: .runningP2P
        default: self
        }
    }
}

/// What a device says its state is.
///
/// Kernels may expose new states after a failed SET, so an unknown number is a value, not an error.
package enum ReportedState: Hashable, Sendable {
    case known(DeviceState)
    case unknown(UInt32)

    package init(kernelNumber: UInt32) {
        self = DeviceState(rawValue: kernelNumber).map(Self.known) ?? .unknown(kernelNumber)
    }

    /// The kernel's name, or the number of a state this version does not know.
    package var kernelName: String {
        switch self {
        case .known(let state): state.kernelName
        case .unknown(let number): "UNKNOWN(\(number))"
        }
    }
}

extension DeviceState {
    /// The lower snake case name of the API and the journal: `running_p2p`.
    package var name: String { kernelName.lowercased() }
}

extension DeviceState: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let name = try container.decode(String.self)
        guard let state = Self.allCases.first(where: { $0.name == name }) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "not a device state: \(name)"
            )
        }
        self = state
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(name)
    }
}
