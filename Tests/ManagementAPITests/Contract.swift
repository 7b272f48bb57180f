import SystemIO
import Yams

/// openapi/ferry.yaml, as far as the tests ask it.
struct Contract {
    /// A value of the document.
    typealias Node = [String: Any]

    private let root: Node

    init() throws {
        // Tests/ManagementAPITests/Contract.swift → the top of the package.
        let top = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let bytes = try BoundedFile.bytes(at: "/\(top)/openapi/ferry.yaml", limit: 1 << 20)
        let text = String(decoding: bytes, as: UTF8.self)
        root = try Yams.load(yaml: text) as? Node ?? [:]
    }

    struct Operation {
        let method: String
        let path: String
        let id: String
        let queryParameters: [String]
        let pathParameters: [String]
        let headerParameters: [String]
        /// The headers of the answer with the status of success.
        let successHeaders: Set<String>
        let statuses: Set<String>
        let bodySchema: String?
        /// The media types of the body.
        let bodyMedia: Set<String>
        /// `$ref` of a shared body.
        let bodyReference: String?
        let successSchema: String?
        let successTypes: Set<String>
    }

    var operations: [Operation] {
        node(root["paths"]).flatMap { path, item in
            node(item).compactMap { method, operation in
                ["get", "post", "delete", "put", "patch"].contains(method)
                    ? self.operation(method, path, node(operation), shared: node(item)) : nil
            }
        }
    }

    private func operation(
        _ method: String,
        _ path: String,
        _ operation: Node,
        shared: Node
    ) -> Operation {
        let parameters = (list(shared["parameters"]) + list(operation["parameters"]))
            .map { resolved(node($0)) }
        let names = { place in
            parameters.filter { $0["in"] as? String == place }.compactMap { $0["name"] as? String }
        }
        let responses = node(operation["responses"])
        let success = responses.first { $0.key.hasPrefix("2") }
        let body = node(operation["requestBody"])
        return Operation(
            method: method.uppercased(),
            path: path,
            id: operation["operationId"] as? String ?? "",
            queryParameters: names("query"),
            pathParameters: names("path"),
            headerParameters: names("header"),
            successHeaders: Set(
                success.map { node(node($0.value)["headers"]).keys.map(\.self) } ?? []
            ),
            statuses: Set(responses.keys),
            bodySchema: schemaName(ofContentIn: body),
            bodyMedia: Set(self.node(body["content"]).keys),
            bodyReference: body["$ref"] as? String,
            successSchema: success.flatMap { schemaName(ofContentIn: node($0.value)) },
            successTypes: Set(node(node(success?.value)["content"]).keys)
        )
    }

    /// Every schema that is an object with fields, by name.
    var objectNames: Set<String> {
        Set(schemas.filter { node($0.value)["properties"] != nil }.keys)
    }

    func fields(ofSchema name: String) -> Set<DocumentField> {
        let schema = node(schemas[name])
        let required = Set(list(schema["required"]).compactMap { $0 as? String })
        let fields = node(schema["properties"]).map { name, property in
            DocumentField(
                name: name,
                shape: shape(of: node(property)),
                isRequired: required.contains(name)
            )
        }
        return Set(fields)
    }

    /// The names of a set, whether it may grow or not.
    func names(ofSchema name: String, property: String? = nil) -> [String] {
        var schema = node(schemas[name])
        if let property { schema = resolved(node(node(schema["properties"])[property])) }
        if let items = schema["items"] { schema = node(items) }
        return list(schema["x-extensible-enum"] ?? schema["enum"]).compactMap { $0 as? String }
    }

    func extensionNode(_ name: String, ofSchema schema: String) -> Node {
        node(node(schemas[schema])[name])
    }

    /// Where an operation says what may be done with its answer: the operation it names, and what
    /// that is given.
    struct Link {
        let origin: String
        let operation: String
        let parameters: [String]
    }

    var links: [Link] {
        node(root["paths"]).values.flatMap { item in
            node(item).values.map(node).flatMap { operation in
                node(operation["responses"]).values.map { resolved(node($0)) }.flatMap { response in
                    node(response["links"]).values.map { resolved(node($0)) }.map {
                        Link(
                            origin: operation["operationId"] as? String ?? "",
                            operation: $0["operationId"] as? String ?? "",
                            parameters: Array(node($0["parameters"]).keys)
                        )
                    }
                }
            }
        }
    }

    /// Where documents are described without an example, as the way to them.
    var withoutExample: [String] {
        node(root["paths"]).flatMap { withoutExample(in: node($0.value), at: $0.key) }
            + node(node(root["components"])["responses"])
            .flatMap { withoutExample(in: node($0.value), at: $0.key) }
    }

    private func withoutExample(in node: Node, at path: String) -> [String] {
        let media = self.node(node["content"]).values.map(self.node)
        let bare = media.filter {
            // Nobody writes an example of a binary body.
            $0["schema"] != nil && self.node($0["schema"])["format"] as? String != "binary"
                && $0["example"] == nil && $0["examples"] == nil
        }
        return bare.map { _ in path }
            + node.filter { $0.key != "content" }
            .flatMap { withoutExample(in: self.node($0.value), at: "\(path) \($0.key)") }
    }

    /// The example documents, each with the name of the schema it stands beside.
    var examples: [(schema: String, document: Any)] { examples(in: root) }

    private func examples(in value: Any) -> [(schema: String, document: Any)] {
        if let items = value as? [Any] { return items.flatMap(examples) }
        guard let node = value as? Node else { return [] }
        let inner = node.filter { $0.key != "example" && $0.key != "examples" }.values
            .flatMap(examples)
        guard let schema = (self.node(node["schema"])["$ref"] as? String).map(Self.lastPart)
        else { return inner }
        let all =
            [node["example"]]
            + self.node(node["examples"]).values.map { resolved(self.node($0))["value"] }
        return inner + all.compactMap { $0 }.map { (schema, $0) }
    }

    /// The shape of what a dotted path of a document leads to; within a list, of each of its items.
    ///
    /// `*` stands for any key of a map.
    func shape(at path: String, ofSchema name: String) -> (shape: DocumentShape, isTime: Bool)? {
        var schema: Node = ["$ref": "#/components/schemas/\(name)"]
        var isList = false
        for part in path.split(separator: ".") {
            schema = resolved(schema)
            if let items = schema["items"] {
                isList = true
                schema = resolved(node(items))
            }
            schema = node(
                part == "*"
                    ? schema["additionalProperties"] : node(schema["properties"])[String(part)]
            )
        }
        guard !schema.isEmpty else { return nil }
        let isTime = resolved(schema)["format"] as? String == "date-time"
        let shape = shape(of: schema)
        return (isList ? .list(shape) : shape, isTime)
    }

    /// The description of a shared parameter.
    func description(ofParameter name: String) -> String {
        node(node(node(root["components"])["parameters"])[name])["description"] as? String ?? ""
    }

    private func shape(of schema: Node) -> DocumentShape {
        if let reference = schema["$ref"] as? String {
            let name = Self.lastPart(reference)
            let target = node(schemas[name])
            return target["properties"] == nil ? shape(of: target) : .object(name)
        }
        if let items = schema["items"] { return .list(shape(of: node(items))) }
        if let values = schema["additionalProperties"] as? Node { return .map(shape(of: values)) }
        switch schema["type"] as? String {
        case "integer": return .integer
        case "boolean": return .boolean
        case "string": return .string
        default: return .object("\(schema["type"] ?? "nothing")")
        }
    }

    private func schemaName(ofContentIn node: Node) -> String? {
        let media = self.node(self.node(node["content"])["application/json"])
        return (self.node(media["schema"])["$ref"] as? String).map(Self.lastPart)
    }

    private var schemas: Node { node(node(root["components"])["schemas"]) }

    private func resolved(_ node: Node) -> Node {
        guard let reference = node["$ref"] as? String else { return node }
        return reference.split(separator: "/").dropFirst()
            .reduce(root) { self.node($0[String($1)]) }
    }

    private func node(_ value: Any?) -> Node { value as? Node ?? [:] }
    private func list(_ value: Any?) -> [Any] { value as? [Any] ?? [] }

    private static func lastPart(_ reference: String) -> String {
        reference.split(separator: "/").last.map(String.init) ?? ""
    }
}
