internal import JobEngine
internal import MigrationCore

extension ManagementAPI {
    func listImages(_ call: Call) throws(Problem) -> Outcome {
        let query = try ListQuery(ImageFields.table, call.query)
        return .ready(try query.response(query.page(of: engine.images()), images))
    }

    func getImage(_ call: Call) throws(Problem) -> Outcome {
        let selection = try FieldSelection(call.query, ImageFields.table)
        return .ready(try images.response(for: engine.image(call.id(of: "image")), selection))
    }

    func deleteImage(_ call: Call) throws(Problem) -> Outcome {
        let id: ImageID = try call.id(of: "image")
        return .blocking { [engine] () throws(Problem) in
            try engine.deleteImage(id)
            return .noContent
        }
    }
}
