import Glibc
import Testing

extension TemporaryDirectory {
    /// Puts other bytes into the place of a file.
    func replace(_ name: String, with bytes: [UInt8]) throws {
        unsafe unlink("\(path)/\(name)")
        try write(bytes, to: name)
    }

    /// Changes the manifest of the image, which must hold the text that is to go.
    func edit(_ old: String, _ new: String) throws {
        let name = "\(Damage.image)/manifest.json"
        let text = String(decoding: try bytes(of: name), as: UTF8.self)
        try #require(text.contains(old))
        try replace(name, with: Array(text.replacing(old, with: new, maxReplacements: 1).utf8))
    }

    /// The text of the manifest from its list of members to the end of that.
    func membersText() throws -> String {
        let text = String(decoding: try bytes(of: "\(Damage.image)/manifest.json"), as: UTF8.self)
        let start = try #require(text.firstRange(of: "\"members\":["))
        let end = try #require(text[start.upperBound...].firstIndex(of: "]"))
        return String(text[start.lowerBound...end])
    }

    func exchange(_ first: String, _ second: String) {
        unsafe rename("\(path)/\(first)", "\(path)/elsewhere")
        unsafe rename("\(path)/\(second)", "\(path)/\(first)")
        unsafe rename("\(path)/elsewhere", "\(path)/\(second)")
    }
}
