internal import Glibc
internal import MigrationCore
internal import Synchronization
internal import SystemIO

/// The names of PCI hardware, from the system's `pci.ids`.
///
/// The file is read once for each vendor that is asked for: a host has few, the file has thousands.
final class HardwareIndex: Sendable {
    private struct Vendor {
        var name: String?
        var devices: [UInt32: String] = [:]
    }

    private struct State {
        var vendors: [UInt32: Vendor] = [:]
        var classes: [UInt32: String]?
    }

    static let places = ["/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids"]
    private static let byteLimit = 16 << 20
    private static let vendorLimit = 1024

    private let places: [String]
    /// Guards the names that were looked up.
    ///
    /// A leaf; held while the file is read, so that two do not read it at once.
    private let state = Mutex(State())

    init(places: [String] = places) { self.places = places }

    /// What a function is called; a name that is not in the file is nil.
    func names(vendor: UInt32?, device: UInt32?, classCode: UInt32?) -> HardwareNames? {
        let names = state.withLock { state in
            var names = HardwareNames()
            if let vendor {
                let known = Self.vendor(vendor, &state, places)
                names.vendor = known.name
                names.device = device.flatMap { known.devices[$0] }
            }
            names.deviceClass = classCode.flatMap { Self.className($0, &state, places) }
            return names
        }
        return names == HardwareNames() ? nil : names
    }

    private static func vendor(
        _ id: UInt32,
        _ state: inout State,
        _ places: [String]
    ) -> Vendor {
        if let known = state.vendors[id] { return known }
        if state.vendors.count >= vendorLimit { state.vendors = [:] }
        var vendor = Vendor()
        var isInside = false
        let key = Array(hexadecimal(id).utf8)
        for line in lines(places, from: hexadecimal(id)) {
            if line.starts(with: key) {
                isInside = true
                vendor.name = text(line.dropFirst(4))
            } else if isInside, line.first == UInt8(ascii: "\t") {
                guard line.dropFirst().first != UInt8(ascii: "\t"),
                    let device = number(line.dropFirst().prefix(4))
                else { continue }
                vendor.devices[device] = text(line.dropFirst(5))
            } else if isInside, line.first != UInt8(ascii: "#") {
                break
            }
        }
        state.vendors[id] = vendor
        return vendor
    }

    /// The name of the subclass, or of the class where that has none.
    private static func className(
        _ code: UInt32,
        _ state: inout State,
        _ places: [String]
    ) -> String? {
        if state.classes == nil { state.classes = classes(places) }
        return state.classes?[code >> 8] ?? state.classes?[(code >> 16) << 8 | 0x1_0000]
    }

    /// Subclasses by class and subclass; classes alone by their number with a bit that no subclass
    /// has.
    private static func classes(_ places: [String]) -> [UInt32: String] {
        var classes: [UInt32: String] = [:]
        var base: UInt32?
        for line in lines(places, from: "C ") {
            if line.starts(with: [UInt8(ascii: "C"), UInt8(ascii: " ")]) {
                base = number(line.dropFirst(2).prefix(2))
                if let base { classes[base << 8 | 0x1_0000] = text(line.dropFirst(4)) }
            } else if let base, line.first == UInt8(ascii: "\t"),
                let subclass = number(line.dropFirst().prefix(2))
            {
                classes[base << 8 | subclass] = text(line.dropFirst(3))
            } else if line.first != UInt8(ascii: "\t"), line.first != UInt8(ascii: "#") {
                base = nil
            }
        }
        return classes
    }

    /// The lines from the first one on that begins with a text.
    private static func lines(_ places: [String], from start: String) -> Lines {
        for place in places {
            if let bytes = try? BoundedFile.bytes(at: place, limit: byteLimit) {
                return Lines(rest: bytes[firstLine(from: start, in: bytes)...])
            }
        }
        return Lines(rest: [])
    }

    /// Where the first line is that begins with a text; the end when there is none.
    ///
    /// The C library's search: a walk by lines takes most of what a start takes.
    private static func firstLine(from start: String, in text: [UInt8]) -> Int {
        let wanted = Array(start.utf8)
        return unsafe text.withUnsafeBytes { text in
            guard let base = text.baseAddress else { return 0 }
            var place = 0
            while text.count - place >= wanted.count {
                if unsafe memcmp(base + place, wanted, wanted.count) == 0 { return place }
                guard let end = unsafe memchr(base + place, 0x0A, text.count - place) else { break }
                place = unsafe UnsafeRawPointer(end) - base + 1
            }
            return text.count
        }
    }

    /// The lines of a text that are not empty, one after another: mostly the first ones tell.
    private struct Lines: Sequence, IteratorProtocol {
        var rest: ArraySlice<UInt8>

        mutating func next() -> ArraySlice<UInt8>? {
            rest = rest.drop { $0 == UInt8(ascii: "\n") }
            guard !rest.isEmpty else { return nil }
            let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
            defer { rest = rest[end...] }
            return rest[..<end]
        }
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        let isSpace = { (byte: UInt8) in byte == 0x20 || byte == 0x09 || byte == 0x0D }
        return String(decoding: bytes.drop(while: isSpace), as: UTF8.self)
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> UInt32? {
        UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
    }

    private static func hexadecimal(_ id: UInt32) -> String {
        let digits = String(id, radix: 16)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}
