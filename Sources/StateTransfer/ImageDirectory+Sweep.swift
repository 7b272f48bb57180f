package import MigrationCore
internal import SystemIO

extension ImageDirectory {
    /// What a sweep found.
    package struct Sweep: Hashable, Sendable {
        /// Leftovers that were removed: images never sealed, or not wholly deleted.
        package var removed: [String] = []
        /// Names that stand for no image of the catalogue.
        ///
        /// Left alone: they may be somebody's.
        package var unknown: [String] = []
        /// Images of the catalogue without a directory.
        package var missing: [ImageID] = []
        /// Leftovers that could not be removed.
        package var problems: [Problem] = []
    }

    /// Removes what a dead daemon left unfinished.
    ///
    /// For start-up, before anything is created.
    package func sweep(keeping known: Set<ImageID>) throws(Problem) -> Sweep {
        let names: [String]
        do throws(Errno) {
            names = try root.names()
        } catch {
            throw ImageProblem.storage(nil, "readdir", error)
        }
        var sweep = Sweep()
        for name in names where ImageNames.isLeftover(name) {
            do throws(Problem) {
                try remove(name, of: nil)
                sweep.removed.append(name)
            } catch {
                sweep.problems.append(error)
            }
        }
        let present = Set(names.compactMap { ImageID($0) })
        sweep.unknown = names.filter { name in
            !ImageNames.isLeftover(name) && ImageNames.uploaded(name) == nil
                && !(ImageID(name).map(known.contains) ?? false)
        }
        sweep.missing = known.subtracting(present).sorted()
        return sweep
    }
}
