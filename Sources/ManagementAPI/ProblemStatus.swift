package import MigrationCore

/// The HTTP status of every problem: the one place that decides it.
extension Problem.Code {
    package var httpStatus: Int {
        switch self {
        case .badRequest, .unknownField, .badFilter: 400
        case .forbidden: 403
        case .notFound: 404
        case .methodNotAllowed: 405
        case .deviceBusy, .noSession, .sessionExists, .sessionBusy, .sessionHasContent, .jobExists,
            .jobFinished, .jobCommitted, .notAwaitingSwitchover, .notIndeterminate, .imageBusy,
            .imageNotReady, .imageExists, .uploadOffset, .idempotencyInFlight, .jobUnsettled,
            .copyNotAccepted, .targetHasContent, .contentLost, .deviceGone, .cancelled,
            .unplugRequested, .changeRefused, .forceRequired, .kernelRefused:
            409
        case .preconditionFailed: 412
        case .payloadTooLarge: 413
        case .unsupportedMediaType: 415
        case .rangeNotSatisfiable: 416
        case .expectationFailed: 417
        case .idempotencyMismatch: 422
        case .invalidField, .notMigratable, .incompatible, .setUnsupported, .imageCorrupt: 422
        case .preconditionRequired: 428
        case .headersTooLarge: 431
        // The daemon's own rights, not the caller's: those are `forbidden`.
        case .permissionDenied, .deviceFailed, .streamMismatch, .storeFailed, .storageFailed,
            .daemonDied, .internalError:
            500
        case .overloaded, .shuttingDown: 503
        case .timedOut: 504
        }
    }

    /// What every problem of this code has in common.
    package var title: String {
        switch self {
        case .badRequest: "The request cannot be read"
        case .unknownField: "The request has a field Ferry does not know"
        case .invalidField: "A field of the request is not valid"
        case .notFound: "There is no such resource"
        case .methodNotAllowed: "The resource does not take this method"
        case .payloadTooLarge: "The request body is too large"
        case .unsupportedMediaType: "The request body is of another media type"
        case .forbidden: "The caller may not do this"
        case .expectationFailed: "The expectation cannot be met"
        case .headersTooLarge: "The request headers are too large"
        case .badFilter: "The filter cannot be read"
        case .preconditionRequired: "The request must say what it changes (If-Match)"
        case .preconditionFailed: "What the request changes has changed meanwhile"
        case .idempotencyInFlight: "A request with this key is being answered"
        case .idempotencyMismatch: "The key came with another body before"
        case .deviceBusy: "The device is in use"
        case .noSession: "The device has no session it needs"
        case .sessionExists: "The device has a session already"
        case .sessionBusy: "The session is in use"
        case .sessionHasContent: "The session holds content"
        case .jobExists: "A job of this name exists"
        case .jobFinished: "The job is finished"
        case .jobUnsettled: "The job is not settled"
        case .jobCommitted: "The job is past its commit"
        case .notAwaitingSwitchover: "The job is not waiting for a switchover"
        case .notIndeterminate: "The job is not indeterminate"
        case .imageBusy: "The image is in use"
        case .imageNotReady: "The image is not complete"
        case .imageExists: "An image of this name exists"
        case .uploadOffset: "The part does not begin where the image ends so far"
        case .rangeNotSatisfiable: "There are no such bytes"
        case .copyNotAccepted: "The content would run twice"
        case .targetHasContent: "The target holds content"
        case .contentLost: "The device lost its content"
        case .changeRefused: "The device cannot be changed as things are"
        case .forceRequired: "The change endangers the host"
        case .kernelRefused: "The kernel refused the change"
        case .notMigratable: "The device cannot be migrated"
        case .incompatible: "Source and target do not fit"
        case .setUnsupported: "The devices cannot move as one set"
        case .imageCorrupt: "The image is corrupt"
        case .deviceFailed: "The device refused or failed"
        case .deviceGone: "The device is gone"
        case .permissionDenied: "ferryd may not use the device"
        case .streamMismatch: "The state that arrived is not the state that was sent"
        case .storeFailed: "The job store failed"
        case .storageFailed: "The image storage failed"
        case .timedOut: "A time limit passed"
        case .cancelled: "The job was cancelled"
        case .daemonDied: "ferryd died while the job ran"
        case .unplugRequested: "The device is being unplugged"
        case .overloaded: "ferryd has too much to do"
        case .shuttingDown: "ferryd is shutting down"
        case .internalError: "ferryd has a fault"
        }
    }

    /// When trying again makes sense although nobody said so.
    var defaultRetryAfterSeconds: Int? {
        switch self {
        case .deviceBusy, .sessionBusy, .imageBusy, .imageNotReady, .overloaded: 1
        case .shuttingDown: 5
        default: nil
        }
    }
}
