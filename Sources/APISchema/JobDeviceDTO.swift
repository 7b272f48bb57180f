/// One device of a job, with what the job did to it.
package struct JobDeviceDTO: Hashable, Sendable, Codable {
    package let device: String
    /// `source` or `target`.
    package let side: String
    /// The last state the device itself reported.
    package var vfioState: String?
    package var content: String?
    /// Last answer of `VFIO_MIG_GET_PRECOPY_INFO`.
    package var initialBytes: Int64?
    package var dirtyBytes: Int64?
    /// Last answer of `VFIO_DEVICE_FEATURE_MIG_DATA_SIZE`.
    package var stopCopyBytes: Int64?
    /// Bytes of the stream so far.
    package var transferredBytes: Int64
    /// The SETs that were made, in order.
    package var arcs: [ArcTimeDTO]

    package init(device: String, side: String, transferredBytes: Int64, arcs: [ArcTimeDTO]) {
        self.device = device
        self.side = side
        self.transferredBytes = transferredBytes
        self.arcs = arcs
    }
}

/// A SET that was made, and its measured time.
package struct ArcTimeDTO: Hashable, Sendable, Codable {
    package let from: String
    package let to: String
    package let durationUs: Int64
    /// `EIO`; left out when the SET succeeded.
    package let errno: String?

    package init(from: String, to: String, durationUs: Int64, errno: String?) {
        self.from = from
        self.to = to
        self.durationUs = durationUs
        self.errno = errno
    }
}

/// A SET that has not returned for more than 10 seconds.
package struct StuckArcDTO: Hashable, Sendable, Codable {
    package let device: String
    package let arc: ArcDTO
    package let elapsedS: Int64

    package init(device: String, arc: ArcDTO, elapsedS: Int64) {
        self.device = device
        self.arc = arc
        self.elapsedS = elapsedS
    }
}

/// The two ends of an arc of the VFIO migration state machine.
package struct ArcDTO: Hashable, Sendable, Codable {
    /// Left out when the state before could not be read.
    package let from: String?
    package let to: String

    package init(from: String?, to: String) {
        self.from = from
        self.to = to
    }
}
