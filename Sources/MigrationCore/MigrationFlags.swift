/// What a device's migration support consists of.
///
/// Source: `VFIO_MIGRATION_STOP_COPY`, `_P2P`, `_PRE_COPY` of `struct
/// vfio_device_feature_migration`.
package struct MigrationFlags: OptionSet, Hashable, Sendable {
    package let rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }

    package static let stopCopy = Self(rawValue: 1 << 0)
    package static let p2p = Self(rawValue: 1 << 1)
    package static let preCopy = Self(rawValue: 1 << 2)

    /// The four sets the uAPI gives a meaning: STOP_COPY alone or with either or both others.
    package static let meaningful: [Self] = [
        [.stopCopy], [.stopCopy, .p2p], [.stopCopy, .preCopy], [.stopCopy, .p2p, .preCopy],
    ]

    /// Whether a device with these flags has the state.
    ///
    /// `RUNNING` and `ERROR` always exist; every other one needs STOP_COPY, whatever else it needs
    /// (the kernel's `state_flags_table`).
    package func supports(_ state: DeviceState) -> Bool {
        switch state {
        case .error, .running: true
        case .stop, .stopCopy, .resuming: contains(.stopCopy)
        case .runningP2P: contains([.stopCopy, .p2p])
        case .preCopy: contains([.stopCopy, .preCopy])
        case .preCopyP2P: contains([.stopCopy, .p2p, .preCopy])
        }
    }

    /// Lower snake case names, in the order of the bits; bits without a name as `bit_N`.
    package var names: [String] {
        (0..<64).filter { rawValue & (1 << UInt64($0)) != 0 }.map { bit in
            switch bit {
            case 0: "stop_copy"
            case 1: "p2p"
            case 2: "pre_copy"
            default: "bit_\(bit)"
            }
        }
    }
}

extension MigrationFlags {
    /// The flags a set of devices is driven by: pre-copy when one can, P2P only when all can.
    ///
    /// Without P2P in one of them no order is safe, and the barrier is left out for all.
    package static func driving(_ devices: [MigrationFlags]) -> MigrationFlags {
        guard var flags = devices.first else { return [] }
        for device in devices.dropFirst() {
            if device.contains(.preCopy) { flags.insert(.preCopy) }
            if !device.contains(.p2p) { flags.remove(.p2p) }
        }
        return flags
    }
}
