internal import JobEngine
internal import MigrationCore

extension ManagementAPI {
    func listDevices(_ call: Call) throws(Problem) -> Outcome {
        let page = try Page(of: "devices", call.query)
        return .blocking { [self] () throws(Problem) in
            let shown = try engine.devices { all throws(Problem) in
                try page.cut(all) { $0.id.text }
            }
            return try page.response(shown, devices)
        }
    }

    func getDevice(_ call: Call) throws(Problem) -> Outcome {
        let id: DeviceID = try call.id(of: "device")
        if let view = engine.rememberedDevice(id) {
            return .ready(try devices.response(for: view))
        }
        return .blocking { [self] () throws(Problem) in
            try devices.response(for: engine.device(id))
        }
    }

    func probeDevice(_ call: Call) throws(Problem) -> Outcome {
        let id: DeviceID = try call.id(of: "device")
        return .blocking { [self] () throws(Problem) in
            try devices.response(for: engine.probe(id))
        }
    }
}
