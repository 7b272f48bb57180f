internal import JobEngine
internal import MigrationCore

extension ManagementAPI {
    func listDevices(_ call: Call) throws(Problem) -> Outcome {
        let query = try ListQuery(DeviceFields.table, call.query)
        return .blocking { [self] () throws(Problem) in
            guard query.isPlain else {
                return try query.response(query.page(of: engine.devices()), devices)
            }
            // Only those that are shown are looked at closely.
            var nextCursor: String?
            let shown = try engine.devices { all throws(Problem) in
                let page = try query.cut(all) { [.text($0.id.text)] }
                nextCursor = page.nextCursor
                return page.items
            }
            return try query.response(
                ListPage(items: shown[...], nextCursor: nextCursor),
                devices
            )
        }
    }

    func getDevice(_ call: Call) throws(Problem) -> Outcome {
        let id: DeviceID = try call.id(of: "device")
        let selection = try FieldSelection(call.query, DeviceFields.table)
        if let view = engine.rememberedDevice(id) {
            return .ready(try devices.response(for: view, selection))
        }
        return .blocking { [self] () throws(Problem) in
            try devices.response(for: engine.device(id), selection)
        }
    }

    func probeDevice(_ call: Call) throws(Problem) -> Outcome {
        let id: DeviceID = try call.id(of: "device")
        return .blocking { [self] () throws(Problem) in
            .document(text: try devices.document(for: engine.probe(id)).text)
        }
    }
}
