import Foundation
import MigrationCore
import Testing

/// One case of fsm-vectors.json, which was generated from the kernel's own table.
struct KernelVector: Decodable, CustomTestStringConvertible {
    let flags: UInt64
    let frm: String
    let to: String
    let path: [String]?
    let errno: String?
    let newDescriptor: Bool
    let sessionEnds: Bool

    enum CodingKeys: String, CodingKey {
        case flags
        case frm
        case to
        case path
        case errno
        case newDescriptor = "new_fd"
        case sessionEnds = "session_ends"
    }

    var testDescription: String { "flags \(flags): \(frm) to \(to)" }

    /// What the number the vector asks for is to this program: "8" stands for the first number
    /// the kernel gives no state.
    var target: ReportedState {
        if let number = UInt32(to) { return ReportedState(kernelNumber: number) }
        return DeviceState(kernelName: to).map(ReportedState.known) ?? .unknown(.max)
    }

    static func all() throws -> [Self] {
        let url = try #require(
            Bundle.module.url(forResource: "fsm-vectors", withExtension: "json")
        )
        return try JSONDecoder().decode([Self].self, from: Data(contentsOf: url))
    }
}
