import JobEngine
import MigrationCore

@testable import ManagementAPI

/// A filter, and the same text as a cursor.
///
/// It is refused with a column, or read: printed and read again it is the same. A filter of fields
/// that are known says yes or no of a device. A cursor that is read is the one that is written.
enum FilterFuzz {
    private static let device: DeviceView? = DeviceID("pci-0000:41:00.3").map { id in
        var record = DeviceRecord(
            id: id,
            backend: .kernel,
            bus: .pci,
            address: "0000:41:00.3",
            support: .stateStream([.stopCopy, .p2p])
        )
        record.driver = "mlx5_vfio_pci"
        record.numaNode = 1
        return DeviceView(record: record, session: nil, lockedBy: nil, lastState: nil)
    }

    static func run(_ input: [UInt8]) {
        let text = String(decoding: input, as: UTF8.self)
        do throws(Problem) {
            let expression = try FilterParser.parse(text)
            let printed = expression.description
            let isShort = printed.utf8.count <= FilterParser.byteLimit
            promised(
                !isShort || (try? FilterParser.parse(printed)) == expression,
                "what was printed is what was read"
            )
        } catch {
            promised(
                error.code == .badFilter && error.facts.column != nil,
                "a refusal has a column"
            )
        }
        if let device, let filter = try? Filter(text, DeviceFields.table) {
            promised(filter.matches(device) == filter.matches(device), "a filter decides")
        }
        if let position = try? ListCursor.position(in: text, of: "devices") {
            promised(
                ListCursor.text(behind: position, of: "devices") == text.lowercased(),
                "a cursor is written as it is read"
            )
        }
    }
}
