internal import MigrationCore
internal import MigrationPorts
internal import Synchronization
internal import SystemIO

/// The files of open sessions, which a keeper holds so that they outlive the daemon, and which
/// several sessions may share.
extension Engine {
    /// Gives a keeper the files of a new session, before anything relies on it.
    func handOver(
        _ device: any DeviceSession,
        _ id: SessionID
    ) throws(Problem) {
        guard let keeper else { return }
        let files: [KeptFile]
        do throws(Errno) {
            files = try device.keptFiles()
        } catch {
            var facts = Problem.Facts(device: device.device)
            facts.errno = error
            throw Problem(.deviceGone, "\(device.device) went while it was opened.", facts)
        }
        if !files.isEmpty { try keeper.keep(files, of: id) }
    }

    /// The open session a new one shares a file with, as devices of one group do: they are in one
    /// address space, asked or not.
    func sharer(of device: any DeviceSession) -> SessionID? {
        let files = (try? device.keptFiles()) ?? []
        guard !files.isEmpty else { return nil }
        return sessionTable.allOpen.first { session in
            let others = (try? session.device.session.keptFiles()) ?? []
            return others.contains { other in
                files.contains {
                    $0.name == other.name && $0.file.isSameOpenFile(as: other.file)
                }
            }
        }?.record.id
    }

    /// Closes a device, with what a keeper holds of it: only then is its last descriptor gone.
    func release(_ session: OpenSession) {
        unhold(session)
        session.device.close()
    }

    /// Makes a keeper let a session's files go.
    func unhold(_ session: OpenSession) {
        guard let keeper, let files = try? session.device.session.keptFiles(), !files.isEmpty else {
            return
        }
        // One after the other, so that nobody gives the keeper again what another lets go.
        let refused = unheld.withLock { unheld in
            let others = sessionTable.allOpen.filter { $0 !== session }
            unheld.formIntersection(others.map(\.record.id))
            unheld.insert(session.record.id)
            keeper.letGo(files.map(\.name), of: session.record.id)
            let companions = others.filter { !unheld.contains($0.record.id) }
            return files.filter { $0.name != "device" }.compactMap { file in
                hold(file, by: companions, keeper)
            }
        }
        for (companion, problem) in refused {
            let record = companion.update {
                $0.note = "It will not outlive the daemon: \(problem.detail)"
            }
            // Losing the note to a failing store loses no state.
            try? events.telling { () throws(Problem) in
                try store.apply(StoreChange(record, at: clock.timestamp()), .process)
            }
        }
    }

    /// Gives a keeper again what another session shares with the one it let go: it held the open
    /// file once, by the name it came with first.
    ///
    /// Returns whose file the keeper did not take, and why.
    private func hold(
        _ file: KeptFile,
        by companions: [OpenSession],
        _ keeper: any FileKeeper
    ) -> (OpenSession, Problem)? {
        for companion in companions {
            let theirs = (try? companion.device.session.keptFiles()) ?? []
            guard let same = theirs.first(where: { $0.file.isSameOpenFile(as: file.file) }) else {
                continue
            }
            do throws(Problem) {
                try keeper.keep([same], of: companion.record.id)
                return nil
            } catch {
                return (companion, error)
            }
        }
        return nil
    }
}
