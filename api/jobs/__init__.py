"""Long work: asked for in one transaction, done by a worker process, watched and cancelled meanwhile.

    queue      the table `job`: ask, look, cancel; claim, beat, take over, end
    kinds      which function does which kind of work
    running    one job: one transaction that holds the work and its end
    reporting  progress and the wish to stop, on a connection of their own
    child      the process of one job, forked from the worker, with limits
    worker     the loop: `python -m api.jobs.worker`

A function of a kind takes `(session, params, under)`, flushes and never commits. What it did and the state `done` are
committed together, so a killed, failed or cancelled job leaves nothing, and a job that is tried again has one effect.
"""
