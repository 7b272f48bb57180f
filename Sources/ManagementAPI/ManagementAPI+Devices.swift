internal import APISchema
internal import JobEngine
internal import MigrationCore

extension ManagementAPI {
    func listDevices(_ call: Call) throws(Problem) -> Outcome {
        let page = try Page(of: "devices", call.query)
        return .blocking { [engine] () throws(Problem) in
            let devices = try page.cut(engine.devices()) { $0.record.id.text }
            return try page.response(devices, id: { $0.record.id.text }, document: DeviceDTO.init)
        }
    }

    func getDevice(_ call: Call) throws(Problem) -> Outcome {
        let id: DeviceID = try call.id(of: "device")
        return .blocking { [engine] () throws(Problem) in
            try .document(DeviceDTO(engine.device(id)))
        }
    }

    func probeDevice(_ call: Call) throws(Problem) -> Outcome {
        let id: DeviceID = try call.id(of: "device")
        return .blocking { [engine] () throws(Problem) in
            try .document(DeviceDTO(engine.probe(id)))
        }
    }
}
