#!/usr/bin/env python3
"""What report.py says of runs that passed, failed, or ran nothing."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

REPORT = pathlib.Path(__file__).with_name("report.py")


def case(name, status, inner=""):
    return f'<testcase name="{name}" status="{status}" time="0.5">{inner}</testcase>'


def report(runs, junit):
    """Exit code and last line for these asked-for runs and these results."""
    with tempfile.TemporaryDirectory() as folder:
        results = pathlib.Path(folder)
        (results / "runs").write_text("".join(f"{run}\n" for run in runs))
        for name, cases in junit.items():
            (results / f"{name}.xml").write_text(f'<testsuite name="x">{"".join(cases)}</testsuite>')
        ended = subprocess.run([sys.executable, REPORT, results], capture_output=True, text=True, check=False)
        return ended.returncode, ended.stdout


class ReportTest(unittest.TestCase):
    def test_passed_and_failed_are_counted(self):
        code, text = report(["unit"], {"unit": [case("a", "run"), case("b", "run"), case("c", "fail")]})
        self.assertEqual(code, 1)
        self.assertIn("unit: c", text)
        self.assertTrue(text.endswith("2 passed, 1 failed\n"), text)

    def test_all_passed(self):
        code, text = report(["unit"], {"unit": [case("a", "run")]})
        self.assertEqual(code, 0)
        self.assertTrue(text.endswith("1 passed, 0 failed\n"), text)

    def test_a_run_without_tests_fails_beside_one_that_passed(self):
        code, text = report(["unit", "sim"], {"unit": [case("a", "run")], "sim": []})
        self.assertEqual(code, 1)
        self.assertIn("sim: ran no test", text)

    def test_a_run_that_left_no_results_fails(self):
        code, text = report(["unit", "sim"], {"unit": [case("a", "run")]})
        self.assertEqual(code, 1)
        self.assertIn("sim: ran no test", text)

    def test_a_run_of_skipped_tests_alone_fails(self):
        skipped = case("b", "notrun", '<skipped message="SKIP_RETURN_CODE=77"/>')
        code, text = report(["interop"], {"interop": [skipped]})
        self.assertEqual(code, 1)
        self.assertIn("interop: ran no test", text)
        self.assertEqual(report(["interop"], {"interop": [case("a", "run"), skipped]})[0], 0)


unittest.main()
