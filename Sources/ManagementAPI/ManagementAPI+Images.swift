internal import JobEngine
internal import MigrationCore

extension ManagementAPI {
    func listImages(_ call: Call) throws(Problem) -> Outcome {
        let page = try Page(of: "images", call.query)
        let shown = try page.cut(engine.images()) { $0.id.text }
        return .ready(try page.response(shown, images))
    }

    func getImage(_ call: Call) throws(Problem) -> Outcome {
        .ready(try images.response(for: engine.image(call.id(of: "image"))))
    }

    func deleteImage(_ call: Call) throws(Problem) -> Outcome {
        let id: ImageID = try call.id(of: "image")
        return .blocking { [engine] () throws(Problem) in
            try engine.deleteImage(id)
            return .noContent
        }
    }
}
