import logging
from pathlib import Path

from solera import logs


def test_the_job_is_in_every_record(tmp_path: Path) -> None:
    logger = logs.start("debug", tmp_path / "solera.log")
    logging.getLogger("solera.somewhere").info("outside")
    with logs.in_job("job-7"):
        logging.getLogger("solera.somewhere").debug("inside")
    for handler in logger.handlers:
        handler.flush()
    outside, inside = (tmp_path / "solera.log").read_text().splitlines()
    assert outside.endswith("solera.somewhere: outside")
    assert inside.endswith("solera.somewhere [job-7]: inside")
    logs.start()


def test_a_file_that_cannot_be_opened_does_not_stop_the_program(tmp_path: Path) -> None:
    logger = logs.start("info", tmp_path / "missing" / "solera.log")
    assert [type(handler) for handler in logger.handlers] == [logging.NullHandler]
    logs.start()
