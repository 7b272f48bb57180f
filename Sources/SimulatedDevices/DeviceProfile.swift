package import MigrationCore

/// How one kind of device behaves: the flags and the quirks of the driver of that name.
///
/// Source: the in-tree variant drivers of Linux 6.12 and, for virtio and xe, of the kernels that
/// brought them. Where hardware alone decides, the choice is ours and says so.
package struct DeviceProfile: Hashable, Sendable {
    package let name: String
    /// The kernel driver it stands for.
    package let driver: String
    package let vendorID: UInt32
    package let deviceID: UInt32
    /// Nil for a device without migration: the kernel answers ENOTTY.
    package var flags: MigrationFlags?
    package let defaultStateByteCount: UInt64
    package let format: Format
    /// The most bytes one read or write moves.
    package let transferByteCount: Int
    package let checks: StreamChecks

    /// How the state becomes bytes.
    package enum Format: Hashable, Sendable {
        /// A match header, then the whole state once. Pre-copy carries only the header, and its
        /// temporary end is a read of 0 (hisi_acc, qat, mtty; xe and pds have no pre-copy).
        case whole
        /// Records, page by page, as often as pages change. The temporary end is ENOMSG, and
        /// PRECOPY_INFO is what starts the next snapshot: in PRE_COPY only, and no sooner than
        /// this after the last one (mlx5, virtio).
        case records(snapshotInterval: Duration)
    }

    /// What the driver notices of a stream that is not right, and as which errno.
    package struct StreamChecks: Hashable, Sendable {
        /// A match header of another device: from write.
        package let header: Errno
        /// Payload that is not what was saved: from write, from RESUMING→STOP, or never.
        package let payload: Payload
        /// A stream that ended early: from RESUMING→STOP, which stays in RESUMING.
        ///
        /// Nil for a driver that is blind to it.
        package let truncation: Errno?
        /// mtty forgets the stream a wrong header began, so RESUMING→STOP succeeds after it.
        package let forgetsBadHeader: Bool

        /// Where a driver looks at the payload.
        package enum Payload: Hashable, Sendable {
            case atWrite(Errno)
            case atLoad(Errno)
            case never
        }
    }
}

extension DeviceProfile {
    /// Every profile, in the order the documentation lists them.
    package static let all: [DeviceProfile] = [
        mlx5, qat, xe, virtio, hisiACC, pds, mtty, plain,
    ]

    /// The profile of this name.
    package static func named(_ name: some StringProtocol) -> DeviceProfile? {
        all.first { $0.name == name }
    }

    package static let mlx5 = DeviceProfile(
        name: "mlx5",
        driver: "mlx5_vfio_pci",
        vendorID: 0x15b3,
        deviceID: 0x101e,
        flags: [.stopCopy, .p2p, .preCopy],
        defaultStateByteCount: 16 << 20,
        format: .records(snapshotInterval: .zero),
        transferByteCount: 1 << 20,
        checks: .blind
    )

    package static let virtio = DeviceProfile(
        name: "virtio",
        driver: "virtio_vfio_pci",
        vendorID: 0x1af4,
        deviceID: 0x1041,
        flags: [.stopCopy, .p2p, .preCopy],
        defaultStateByteCount: 64 << 10,
        format: .records(snapshotInterval: .seconds(1)),
        transferByteCount: 256 << 10,
        checks: .blind
    )

    package static let qat = DeviceProfile(
        name: "qat",
        driver: "qat_vfio_pci",
        vendorID: 0x8086,
        deviceID: 0x4941,
        flags: [.stopCopy, .p2p, .preCopy],
        defaultStateByteCount: 16 << 10,
        format: .whole,
        transferByteCount: 1 << 20,
        checks: StreamChecks(
            header: .invalid,
            payload: .atLoad(.invalid),
            truncation: .invalid,
            forgetsBadHeader: false
        )
    )

    package static let xe = DeviceProfile(
        name: "xe",
        driver: "xe_vfio_pci",
        vendorID: 0x8086,
        deviceID: 0xe20b,
        flags: [.stopCopy, .p2p],
        defaultStateByteCount: 32 << 20,
        format: .whole,
        transferByteCount: 512 << 10,
        checks: StreamChecks(
            header: .invalid,
            payload: .atWrite(.invalid),
            truncation: .invalid,
            forgetsBadHeader: false
        )
    )

    package static let hisiACC = DeviceProfile(
        name: "hisi_acc",
        driver: "hisi_acc_vfio_pci",
        vendorID: 0x19e5,
        deviceID: 0xa259,
        flags: [.stopCopy, .preCopy],
        defaultStateByteCount: 408,
        format: .whole,
        transferByteCount: 1 << 20,
        checks: StreamChecks(
            header: .invalid,
            payload: .atLoad(.invalid),
            truncation: .invalid,
            forgetsBadHeader: false
        )
    )

    // The firmware loads the image at RESUMING→STOP; that it answers EIO is our choice.
    package static let pds = DeviceProfile(
        name: "pds",
        driver: "pds_vfio_pci",
        vendorID: 0x1dd8,
        deviceID: 0x1003,
        flags: [.stopCopy, .p2p],
        defaultStateByteCount: 256 << 10,
        format: .whole,
        transferByteCount: 4 << 10,
        checks: StreamChecks(
            header: .invalid,
            payload: .atLoad(.io),
            truncation: .io,
            forgetsBadHeader: false
        )
    )

    package static let mtty = DeviceProfile(
        name: "mtty",
        driver: "mtty",
        vendorID: 0x4348,
        deviceID: 0x3253,
        flags: [.stopCopy, .p2p, .preCopy],
        defaultStateByteCount: 72,
        format: .whole,
        transferByteCount: 1 << 20,
        checks: StreamChecks(
            header: .fault,
            payload: .never,
            truncation: .invalid,
            forgetsBadHeader: true
        )
    )

    package static let plain = DeviceProfile(
        name: "plain",
        driver: "vfio-pci",
        vendorID: 0x1b36,
        deviceID: 0x0010,
        flags: nil,
        defaultStateByteCount: 4 << 10,
        format: .whole,
        transferByteCount: 1 << 20,
        checks: .blind
    )

    /// What SET answers in ERROR: pds looks itself, for the others the kernel's core refuses.
    var refusalInError: Errno { name == "pds" ? .io : .invalid }

    /// A number that tells this profile's streams from all others.
    var magic: UInt64 {
        name.utf8.reduce(0x4645_5252_5953_494d) { PagePattern.mix($0 ^ UInt64($1)) }
    }
}

extension DeviceProfile.StreamChecks {
    /// mlx5 and virtio: the firmware takes what it is given.
    fileprivate static let blind = Self(
        header: .invalid,
        payload: .never,
        truncation: nil,
        forgetsBadHeader: false
    )
}
