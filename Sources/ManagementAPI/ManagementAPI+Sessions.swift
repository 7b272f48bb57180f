internal import APISchema
internal import JobEngine
internal import MigrationCore

extension ManagementAPI {
    func listSessions(_ call: Call) throws(Problem) -> Outcome {
        let page = try Page(of: "sessions", call.query)
        let shown = try page.cut(engine.sessions()) { $0.id.text }
        return .ready(try page.response(shown, sessions))
    }

    func openSession(_ call: Call) throws(Problem) -> Outcome {
        let request = try call.decodedBody(SessionRequestDTO.self)
        let device: DeviceID = try RequestField.identifier(request.device, at: "/device")
        let companion: SessionID? = try request.joins.map { id throws(Problem) in
            try RequestField.identifier(id, at: "/joins")
        }
        let keyed = try call.keyedRequest
        return .blocking { [engine] () throws(Problem) in
            let given = try engine.openSession(device: device, joining: companion, once: keyed) {
                session throws(Problem) in
                RequestAnswer(
                    status: 201,
                    location: "/v1/sessions/\(session.id.text)",
                    body: try APIResponse.text(of: SessionDTO(session))
                )
            }
            return APIResponse(given)
        }
    }

    func getSession(_ call: Call) throws(Problem) -> Outcome {
        .ready(try sessions.response(for: engine.session(call.id(of: "session"))))
    }

    func closeSession(_ call: Call) throws(Problem) -> Outcome {
        let id: SessionID = try call.id(of: "session")
        let discardContent = try call.query.flag("discard_content")
        return .blocking { [self] () throws(Problem) in
            try sessions.response(
                for: engine.closeSession(id, discardContent: discardContent)
            )
        }
    }
}
