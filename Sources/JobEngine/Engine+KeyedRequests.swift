package import MigrationCore
internal import MigrationPorts
internal import StateTransfer

/// An answer, and whether it is that of an earlier request with the same key.
package struct GivenAnswer: Sendable {
    package let answer: RequestAnswer
    package let isReplayed: Bool
}

/// What the answer to a request becomes in the change it tells of.
struct AnswerKeeping {
    let request: KeyedRequest.Name
    let bodyDigest: String
    let age: StoreAge

    func kept(_ answer: RequestAnswer) -> KeptAnswer {
        KeptAnswer(request: request, bodyDigest: bodyDigest, answer: answer, keptAt: age)
    }
}

extension Engine {
    /// Does the work of a request, and of those with one key only the first's: the others get its
    /// answer.
    ///
    /// `work` puts its answer into the very change that makes it true, by what it is handed; nil
    /// when the request has no key. An answer that is not in the store is none: a refused request
    /// may be sent again. Throws `idempotency-in-flight`, `idempotency-mismatch`, and `overloaded`
    /// when too many answers are kept: to forget one early could do a request twice.
    func once(
        _ request: KeyedRequest?,
        _ work: (AnswerKeeping?) throws(Problem) -> RequestAnswer
    ) throws(Problem) -> GivenAnswer {
        guard let request else { return GivenAnswer(answer: try work(nil), isReplayed: false) }
        let name = request.name
        let digest = try ContentDigest.hexadecimal(of: request.body)
        try keyedRequests.begin(name)
        defer { keyedRequests.end(name) }
        if let kept = try keptAnswer(to: name) {
            guard kept.bodyDigest == digest else {
                throw Problem(
                    .idempotencyMismatch,
                    "This Idempotency-Key came with another body before."
                )
            }
            return GivenAnswer(answer: kept.answer, isReplayed: true)
        }
        try reserveAnswer()
        do throws(Problem) {
            let keeping = AnswerKeeping(request: name, bodyDigest: digest, age: storeAge)
            return GivenAnswer(answer: try work(keeping), isReplayed: false)
        } catch {
            keyedRequests.giveBack()
            throw error
        }
    }

    /// The answer to a key, if it is not too old.
    ///
    /// One that is goes with all that is past keeping: others may forget it at the same time, and
    /// only the store knows for whom of them it was still there to give its place back.
    private func keptAnswer(to name: KeyedRequest.Name) throws(Problem) -> KeptAnswer? {
        var isMoreLeft = true
        while isMoreLeft, let kept = try store.answer(to: name) {
            guard storeAge.seconds(since: kept.keptAt) >= configuration.keptAnswerSeconds else {
                return kept
            }
            isMoreLeft = try forgetSome()
        }
        return nil
    }

    private func reserveAnswer() throws(Problem) {
        if keyedRequests.reserve() { return }
        forget()
        if keyedRequests.reserve() { return }
        var facts = Problem.Facts()
        facts.retryAfterSeconds = 60
        throw Problem(
            .overloaded,
            "The answers to \(configuration.keptAnswerLimit) Idempotency-Keys are kept, and none "
                + "is old enough to be forgotten.",
            facts
        )
    }
}
