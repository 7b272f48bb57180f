internal import APISchema
internal import JobEngine
internal import MigrationCore

extension ManagementAPI {
    func outcome(of call: Call) throws(Problem) -> Outcome {
        switch call.endpoint {
        case .getHost: .ready(.tagged(try APIResponse.text(of: HostDTO(engine.host()))))
        case .followEvents: try followEvents(call)
        case .getContract: .ready(Self.contract)
        case .getHealth: .ready(try .document(HealthDTO()))
        case .getReadiness:
            .blocking { [engine] () throws(Problem) in
                try Self.readiness(engine.readiness())
            }
        case .getMetrics: .scrape
        case .listDevices: try listDevices(call)
        case .getDevice: try getDevice(call)
        case .probeDevice: try probeDevice(call)
        case .bindDevice: try bindDevice(call)
        case .unbindDevice: try unbindDevice(call)
        case .setVirtualFunctions: try setVirtualFunctions(call)
        case .listMediatedTypes: listMediatedTypes(call)
        case .createMediatedDevice: try createMediatedDevice(call)
        case .removeMediatedDevice: try removeMediatedDevice(call)
        case .listSessions: try listSessions(call)
        case .openSession: try openSession(call)
        case .getSession: try getSession(call)
        case .closeSession: try closeSession(call)
        case .listJobs: try listJobs(call)
        case .createJob: try createJob(call)
        case .getJob: try getJob(call)
        case .deleteJob: try deleteJob(call)
        case .createCheck: try createCheck(call)
        case .cancelJob: try cancelJob(call)
        case .switchOverJob: try switchOverJob(call)
        case .resolveJob: try resolveJob(call)
        case .getJobLimits: try getJobLimits(call)
        case .changeJobLimits: try changeJobLimits(call)
        case .listJournal: try listJournal(call)
        case .listImages: try listImages(call)
        case .getImage: try getImage(call)
        case .deleteImage: try deleteImage(call)
        case .getImageContent: try getImageContent(call)
        case .uploadImageContent:
            throw Problem(.internalError, "The transport collected the content of an image.")
        case .listAudit: try listAudit(call)
        case .getAuditRecord: try getAuditRecord(call)
        case .verifyImage: try verifyImage(call)
        }
    }

    static func readiness(_ readiness: Readiness) throws(Problem) -> APIResponse {
        try .document(ReadinessDTO(readiness), status: readiness.isReady ? 200 : 503)
    }
}
