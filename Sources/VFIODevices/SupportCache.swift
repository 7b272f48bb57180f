internal import MigrationCore
internal import Synchronization
internal import SystemIO

/// The answers of devices that were opened once.
///
/// An answer holds while the device has the driver it had then, and is the hardware it was then; at
/// most one for each device is kept, and none outlives the daemon. The firmware and a function's own
/// settings show nowhere without opening it, but to change them the driver has to go, which is seen:
/// the answer is forgotten, and does not come back with the driver.
final class SupportCache: Sendable {
    struct Answer {
        let support: MigrationSupport
        let at: Timestamp
    }

    private struct Entry {
        let identity: Identity
        let answer: Answer
    }

    /// What must be the same for an answer to hold.
    private struct Identity: Hashable {
        let driver: String?
        let ids: [UInt32?]
        let mdevType: String?

        init(_ record: DeviceRecord) {
            driver = record.driver
            ids = [
                record.vendorID, record.deviceID, record.subsystemVendorID,
                record.subsystemDeviceID,
            ]
            mdevType = record.mediated?.type
        }
    }

    private static let limit = 65_536

    // Guards the answers; a leaf of the lock order.
    private let entries = Mutex<[DeviceID: Entry]>([:])

    /// Whether no device has answered.
    var isEmpty: Bool { entries.withLock(\.isEmpty) }

    func keep(_ support: MigrationSupport, for record: DeviceRecord) {
        let answer = Answer(support: support, at: SystemClock.timestamp())
        let entry = Entry(identity: Identity(record), answer: answer)
        entries.withLock { entries in
            if entries.count >= Self.limit { entries = [:] }
            entries[record.id] = entry
        }
    }

    /// Forgets the answers of devices that went, and of those that are others now.
    func forget(gone: [DeviceID], changed: [DeviceRecord]) {
        entries.withLock { entries in
            for id in gone { entries[id] = nil }
            for record in changed where entries[record.id]?.identity != Identity(record) {
                entries[record.id] = nil
            }
        }
    }

    /// The device's answer, unless it was another one that gave it.
    func answer(of record: DeviceRecord) -> Answer? {
        guard let entry = entries.withLock({ $0[record.id] }),
            entry.identity == Identity(record)
        else { return nil }
        return entry.answer
    }
}
