/// Where a value is in its document.
indirect enum JSONPath: Sendable {
    case root
    case field(String, of: JSONPath)
    case item(Int, of: JSONPath)

    /// The path as a JSON pointer (RFC 6901).
    var pointer: String { keys.map { Self.token($0.stringValue) }.joined() }

    /// The path as `Codable` tells it.
    var keys: [PathKey] {
        var keys: [PathKey] = []
        var path = self
        while true {
            switch path {
            case .root: return keys.reversed()
            case .field(let name, let parent):
                keys.append(PathKey(field: name))
                path = parent
            case .item(let index, let parent):
                keys.append(PathKey(index: index))
                path = parent
            }
        }
    }

    /// The pointer of a path that came back in somebody else's error.
    static func pointer(of codingPath: [any CodingKey]) -> String {
        codingPath.map { key in
            if key is PathKey { return token(key.stringValue) }
            return token(key.intValue.map(String.init) ?? FieldName.ofProperty(key.stringValue))
        }.joined()
    }

    private static func token(_ name: String) -> String {
        var text = "/"
        for character in name.unicodeScalars {
            switch character {
            case "~": text += "~0"
            case "/": text += "~1"
            default: text.unicodeScalars.append(character)
            }
        }
        return text
    }
}

/// A step of a path with the name that stands in the document.
struct PathKey: CodingKey {
    let stringValue: String
    let intValue: Int?

    init(field: String) {
        self.stringValue = field
        self.intValue = nil
    }

    init(index: Int) {
        self.stringValue = String(index)
        self.intValue = index
    }

    init?(stringValue: String) { self.init(field: stringValue) }

    init?(intValue: Int) { self.init(index: intValue) }
}
