internal import APISchema
internal import JobEngine
internal import MigrationCore

extension ManagementAPI {
    func listSessions(_ call: Call) throws(Problem) -> Outcome {
        let query = try ListQuery(SessionFields.table, call.query)
        return .ready(try query.response(query.page(of: engine.sessions()), sessions))
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
        let selection = try FieldSelection(call.query, SessionFields.table)
        let session = try engine.session(call.id(of: "session"))
        return .ready(try sessions.response(for: session, selection))
    }

    func closeSession(_ call: Call) throws(Problem) -> Outcome {
        let id: SessionID = try call.id(of: "session")
        let discardContent = try call.query.flag("discard_content")
        return .blocking { [self] () throws(Problem) in
            let closed = try engine.closeSession(id, discardContent: discardContent)
            return .document(text: try sessions.document(for: closed).text)
        }
    }
}
