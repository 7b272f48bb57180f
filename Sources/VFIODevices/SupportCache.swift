internal import MigrationCore
internal import Synchronization

/// The answers of devices that were opened once.
///
/// An answer holds while the device has the driver it had then; at most one for each device is
/// kept.
final class SupportCache: Sendable {
    private struct Answer {
        let driver: String?
        let support: MigrationSupport
    }

    private static let limit = 65_536

    // Guards the answers; a leaf of the lock order.
    private let answers = Mutex<[DeviceID: Answer]>([:])

    func keep(_ support: MigrationSupport, for record: DeviceRecord) {
        answers.withLock { answers in
            if answers.count >= Self.limit { answers = [:] }
            answers[record.id] = Answer(driver: record.driver, support: support)
        }
    }

    /// The device's answer, unless another driver gave it.
    func support(of record: DeviceRecord) -> MigrationSupport? {
        answers.withLock { answers in
            guard let answer = answers[record.id], answer.driver == record.driver else {
                return nil
            }
            return answer.support
        }
    }
}
