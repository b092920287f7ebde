from beam_api.services.course import STEP_MS
from rppg_core.course.series import STEP_S


def test_a_course_is_told_in_the_steps_in_which_it_is_found():
    assert STEP_MS == 1000 * STEP_S
