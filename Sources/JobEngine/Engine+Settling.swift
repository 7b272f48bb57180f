internal import MigrationCore
internal import MigrationPorts

/// Changes that the daemon before this one died in.
extension Engine {
    /// Takes back what is half done, each on a thread of its own, with its device locked from now on.
    ///
    /// Called once, before anything else can be asked for. Blocks on the store alone, and for
    /// bounded reads where nothing is to be taken back.
    func settleChanges(_ unfinished: [AuditRecord]) {
        for record in unfinished {
            do throws(Problem) {
                try settle(record)
            } catch {
                interrupt(record, by: error)
            }
        }
    }

    private func settle(_ record: AuditRecord) throws(Problem) {
        guard let boot = SystemNames.boot, let then = record.boot else {
            throw Problem(
                .daemonDied,
                "Whether the machine was started anew since cannot be told, for the kernel did not "
                    + "say which boot it is."
            )
        }
        guard then == boot else {
            throw Problem(
                .daemonDied,
                "The machine was started anew since, and the kernel keeps nothing of a change."
            )
        }
        let holder = DeviceLocks.Holder.operation("a change that was broken off is taken back")
        let nobody: Told<Void> = { _ in }
        let devices = try lock(record.subject, for: record.action, holder)
        do throws(Problem) {
            try onOwnThread(record.action.reason, record.subject, nobody) { [self] in
                defer { locks.release(devices, from: holder) }
                finish(record)
            }
        } catch {
            locks.release(devices, from: holder)
            throw error
        }
    }

    /// Blocks for as long as the kernel needs.
    private func finish(_ record: AuditRecord) {
        do throws(Problem) {
            var remains: ChangeRemains?
            for backend in backends.all where remains == nil {
                remains = try backend.settle(
                    record.action,
                    of: record.subject,
                    before: record.before
                )
            }
            switch remains {
            case .complete?: end(record, .succeeded)
            case .untouched?:
                interrupt(record, by: Problem(.daemonDied, "It had not changed anything."))
            case .takenBack(let told)?:
                let isBack = backends.place(of: record.subject) == record.before
                var problem = Problem(
                    .daemonDied,
                    isBack
                        ? "What it had done was taken back."
                        : "What it had done could not be taken back whole."
                )
                problem.facts.reasons = told
                interrupt(record, by: problem, isTakenBack: true)
            case nil: throw Problem(.deviceGone, "There is no such device any more.")
            }
        } catch {
            interrupt(record, by: error)
        }
    }

    /// Keeps that nobody knows more than this of a change.
    private func interrupt(
        _ record: AuditRecord,
        by cause: Problem,
        isTakenBack: Bool = false
    ) {
        let (before, now) = (record.before, backends.place(of: record.subject))
        var detail =
            "The daemon died while \(record.action.reason): \(record.subject). \(cause.detail)"
        if before != now {
            let (was, has) = (DevicePlace.text(before), DevicePlace.text(now))
            detail +=
                was == has
                ? " It has \(has), as before, but the virtual functions are new: look at each of "
                    + "them."
                : " It had \(was) before, and has \(has) now: where that is not what it should "
                    + "have, change it by the API or in sysfs."
        }
        var facts = cause.facts
        facts.device = record.subject
        let event = Event(at: clock.timestamp(), topic: .deviceChanged(record.subject))
        end(
            record,
            .interrupted(Problem(.daemonDied, detail, facts)),
            events: isTakenBack ? [event] : []
        )
    }
}

extension DevicePlace {
    /// `the driver nvme, no driver_override and 2 virtual functions`.
    fileprivate static func text(_ place: Self?) -> String {
        guard let place else { return "no place on the host" }
        let driver = place.driver.map { "the driver \($0)" } ?? "no driver"
        let override =
            place.driverOverride.map { "the driver_override \($0)" } ?? "no driver_override"
        let probing = place.isProbed == false ? " that are not probed" : ""
        let functions =
            place.functionCount.map { " and \($0) virtual functions\(probing)" } ?? ""
        return functions.isEmpty
            ? "\(driver) and \(override)" : "\(driver), \(override)\(functions)"
    }
}
