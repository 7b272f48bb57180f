/// Something that went wrong, as every layer above the kernel tells it: a stable code, a sentence
/// for a person, and the facts a program needs.
package struct Problem: Error, Hashable, Sendable, Codable {
    package var code: Code
    package var detail: String
    package var facts: Facts

    package init(_ code: Code, _ detail: String, _ facts: Facts = Facts()) {
        self.code = code
        self.detail = detail
        self.facts = facts
    }

    /// The stable codes of Ferry.
    ///
    /// `ManagementAPI` maps each to one HTTP status; a code is never reused for something else.
    package enum Code: String, CaseIterable, Hashable, Sendable, Codable {
        // The request.
        case badRequest = "bad-request"
        case unknownField = "unknown-field"
        case invalidField = "invalid-field"
        case notFound = "not-found"
        case methodNotAllowed = "method-not-allowed"
        case payloadTooLarge = "payload-too-large"
        case unsupportedMediaType = "unsupported-media-type"
        case forbidden = "forbidden"
        case expectationFailed = "expectation-failed"
        case preconditionRequired = "precondition-required"
        case preconditionFailed = "precondition-failed"
        case headersTooLarge = "headers-too-large"
        case badFilter = "bad-filter"
        case idempotencyInFlight = "idempotency-in-flight"
        case idempotencyMismatch = "idempotency-mismatch"
        // The state of things.
        case deviceBusy = "device-busy"
        case noSession = "no-session"
        case sessionExists = "session-exists"
        case sessionBusy = "session-busy"
        case sessionHasContent = "session-has-content"
        case jobExists = "job-exists"
        case jobFinished = "job-finished"
        case jobUnsettled = "job-unsettled"
        case jobCommitted = "job-committed"
        case notAwaitingSwitchover = "not-awaiting-switchover"
        case notIndeterminate = "not-indeterminate"
        case imageBusy = "image-busy"
        case imageNotReady = "image-not-ready"
        case imageExists = "image-exists"
        case uploadOffset = "upload-offset"
        case rangeNotSatisfiable = "range-not-satisfiable"
        case copyNotAccepted = "copy-not-accepted"
        case targetHasContent = "target-has-content"
        case contentLost = "content-lost"
        case changeRefused = "change-refused"
        case forceRequired = "force-required"
        case kernelRefused = "kernel-refused"
        // What cannot be done at all.
        case notMigratable = "not-migratable"
        case incompatible = "incompatible"
        case setUnsupported = "set-unsupported"
        case imageCorrupt = "image-corrupt"
        // What failed while it was done.
        case deviceFailed = "device-failed"
        case deviceGone = "device-gone"
        case permissionDenied = "permission-denied"
        case streamMismatch = "stream-mismatch"
        case storeFailed = "store-failed"
        case storageFailed = "storage-failed"
        case timedOut = "timed-out"
        case cancelled = "cancelled"
        case daemonDied = "daemon-died"
        case unplugRequested = "unplug-requested"
        case overloaded = "overloaded"
        case shuttingDown = "shutting-down"
        case internalError = "internal"
    }

    /// What a program needs to act on a problem.
    ///
    /// Absent when it does not apply.
    package struct Facts: Hashable, Sendable, Codable {
        package var device: DeviceID?
        package var session: SessionID?
        package var image: ImageID?
        /// The arc of the state machine that failed.
        package var arc: ArcNames?
        /// The system call or ioctl that failed: `VFIO_DEVICE_BIND_IOMMUFD`, `open`.
        package var operation: String?
        package var errno: Errno?
        package var blockingJob: JobID?
        package var holders: [Holder]?
        /// JSON pointer of the field at fault.
        package var pointer: String?
        /// Where in a filter: from 1, in characters.
        package var column: Int?
        package var content: DeviceContent?
        /// Bytes of an image's archive that are there, when it comes in.
        package var receivedByteCount: UInt64?
        /// Bytes of the whole of it.
        package var byteCount: UInt64?
        /// Every reason, when there are several.
        package var reasons: [String]?
        /// When trying again makes sense.
        package var retryAfterSeconds: Int?
        /// The methods a resource has, with `method-not-allowed`.
        package var allow: [String]?

        package init() {}

        /// The facts of a failed call on a device.
        package init(device: DeviceID, operation: String? = nil, errno: Errno? = nil) {
            self.device = device
            self.operation = operation
            self.errno = errno
        }
    }

    /// The two ends of an arc; `from` is nil when the state before could not be read.
    package struct ArcNames: Hashable, Sendable, Codable {
        package let from: DeviceState?
        package let to: DeviceState

        package init(from: DeviceState?, to: DeviceState) {
            self.from = from
            self.to = to
        }
    }

    /// A process that has a device open.
    package struct Holder: Hashable, Sendable, Codable {
        package let pid: Int32
        package let command: String
        package let uid: UInt32
        /// Whether it is a service manager, which keeps files for others and uses none of them; nil
        /// for any other process.
        package let isDescriptorStore: Bool?

        package init(pid: Int32, command: String, uid: UInt32, isDescriptorStore: Bool? = nil) {
            self.pid = pid
            self.command = command
            self.uid = uid
            self.isDescriptorStore = isDescriptorStore
        }
    }
}
