"""One plan of an open loop: calibrate the models if that is not done yet, and send the arrivals."""

from collections.abc import Mapping

from iolab.bench import Bench
from iolab.kind import Measured
from iolab.kinds import arrivals
from iolab.kinds.arrival_records import Calibration, OpenRecord
from iolab.kinds.arrivals import Planned
from iolab.kinds.open import plan as openplan
from iolab.kinds.open.plan import OpenTrial
from iolab.kinds.open.settings import OpenExperiment
from iolab.loadgen.openloop import Arrivals, OpenLoop


def run(experiment: OpenExperiment, trial: OpenTrial, bench: Bench) -> Measured[OpenRecord]:
    """Measure a plan; a plan that fails is a record with a reason.

    Raises TrialFailed if a model cannot be calibrated, and UsageError if a rate cannot be sent in time.
    """
    cores = bench.plans[experiment.cpus[0]]
    client = arrivals.generator(bench, experiment.load, cores)
    calibrated = _missing(experiment, trial, bench, client)
    calibrations = {**trial.calibrations, **calibrated}
    rate_rps = openplan.rate_rps(trial, bench.models, calibrations)
    moments = openplan.moments(experiment.arrivals, rate_rps, trial.plan_s)
    planned = Planned(
        index=trial.index,
        model=bench.models[trial.model],
        cores=cores,
        variant=trial.variant,
        settings=experiment.settings(trial.variant),
        utilisation=trial.utilisation,
        arrivals=Arrivals(experiment.arrivals.process, rate_rps, trial.plan_s, trial.seed, moments),
        calibration=calibrations[trial.model],
    )
    result = arrivals.send(bench, client, planned)
    facts = {"calibrated": calibrated, "planned_utilisation": trial.share, "utilisation_of": trial.of}
    return arrivals.record(OpenRecord, planned, result, result.failure or result.unanswered, facts)


def _missing(experiment: OpenExperiment, trial: OpenTrial, bench: Bench, client: OpenLoop) -> Mapping[str, Calibration]:
    """Calibrate the models that are not calibrated, and check all rates before the first is sent."""
    models, cores = list(bench.models.values()), bench.plans[experiment.cpus[0]]
    wanted = openplan.shares(experiment.arrivals, models)
    found = {
        model.letter: arrivals.calibrated(bench, client, model, cores, experiment.server)
        for model in models
        if model.letter in wanted and model.letter not in trial.calibrations
    }
    if found:
        trials = [each for block in openplan.blocks(experiment, models) for each in block]
        most_rps = experiment.load.most_rps(cores)
        openplan.check_rates(trials, bench.models, {**trial.calibrations, **found}, most_rps)
    return found
